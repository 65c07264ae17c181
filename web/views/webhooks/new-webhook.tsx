/** Makes a webhook and shows the secret that signs its messages, once. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { api, read } from '../../api.ts'
import { definitionsQuery } from '../../queries.ts'
import type { Webhook } from '../../types.ts'
import { Button, Field } from '../../ui/basics.tsx'
import { Checks } from '../../ui/checks.tsx'
import { Dialog } from '../../ui/dialog.tsx'
import { FormEnd } from '../../ui/form-end.tsx'
import { CopyButton } from '../../ui/json.tsx'

type EventType = Webhook['eventTypes'][number]

const eventTypes: EventType[] = [
  'job.succeeded',
  'job.failed',
  'job.cancelled',
  'job.queued',
  'job.started',
  'job.retry_scheduled',
]

export function NewWebhook({ onClose }: { onClose: () => void }) {
  const queries = useQueryClient()
  const definitions = useQuery(definitionsQuery)
  const [url, setUrl] = useState('')
  const [description, setDescription] = useState('')
  const [chosen, setChosen] = useState<EventType[]>(['job.succeeded', 'job.failed', 'job.cancelled'])
  const [definitionKey, setDefinitionKey] = useState('')
  const make = useMutation({
    mutationFn: () =>
      read(
        api.v1.webhooks.$post({
          json: {
            url,
            eventTypes: chosen,
            description: description === '' ? null : description,
            definitionKey: definitionKey === '' ? null : definitionKey,
          },
        }),
      ),
    onSuccess: () => queries.invalidateQueries({ queryKey: ['webhooks'] }),
  })

  function submit(event: FormEvent): void {
    event.preventDefault()
    make.mutate()
  }

  if (make.data !== undefined) return <Secret secret={make.data.secret} onClose={onClose} />
  return (
    <Dialog title="New webhook" isOpen onClose={onClose}>
      <form className="form" onSubmit={submit}>
        <Field label="Address">
          <input
            type="url"
            required
            placeholder="https://"
            value={url}
            onChange={({ target }) => setUrl(target.value)}
          />
        </Field>
        <Field label="Description">
          <input
            maxLength={500}
            value={description}
            onChange={({ target }) => setDescription(target.value)}
          />
        </Field>
        <Checks
          title="Is told when jobs are"
          words={eventTypes.map((word) => ({ word, label: word.replace('job.', '').replace('_', ' ') }))}
          chosen={chosen}
          onChoice={setChosen}
        />
        <Field label="Only of">
          <select value={definitionKey} onChange={({ target }) => setDefinitionKey(target.value)}>
            <option value="">any definition</option>
            {[...new Set(definitions.data?.map(({ key }) => key))].map((key) => (
              <option key={key}>{key}</option>
            ))}
          </select>
        </Field>
        <FormEnd
          error={make.error}
          action="Make the webhook"
          needs="admin"
          isBusy={make.isPending}
          isDisabled={chosen.length === 0}
          onCancel={onClose}
        />
      </form>
    </Dialog>
  )
}

export function Secret({ secret, onClose }: { secret: string; onClose: () => void }) {
  return (
    <Dialog
      title="Keep this secret"
      description="It signs the messages (Standard Webhooks); your receiver checks them with it. It is shown this once."
      isOpen
      isKept
      onClose={onClose}
    >
      <p className="secret">
        <code>{secret}</code>
        <CopyButton text={secret} label="Copy the secret" />
      </p>
      <div className="dialog-actions">
        <Button look="primary" onClick={onClose}>
          I have it
        </Button>
      </div>
    </Dialog>
  )
}
