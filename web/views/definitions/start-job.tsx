/** Starts a job: a form out of what its definition takes. */
import { useMutation, useQuery } from '@tanstack/react-query'
import { Link, useNavigate, useParams } from '@tanstack/react-router'
import { type FormEvent, useState } from 'react'
import { ApiProblem, api, messageOf, read } from '../../api.ts'
import { definitionsQuery } from '../../queries.ts'
import type { Definition } from '../../types.ts'
import { Button, Card, Empty, Field, Foreign, Loaded, Page } from '../../ui/basics.tsx'
import { definitionName, duration } from '../../ui/format.ts'
import { say } from '../../ui/notices.ts'
import { ParamsFields, useParamsForm } from '../../ui/params-form.tsx'

export function StartJob() {
  const { key, version } = useParams({ from: '/definitions/$key/$version' })
  const definitions = useQuery(definitionsQuery)
  return (
    <Loaded query={definitions}>
      {(all) => {
        const definition = all.find((each) => each.key === key && String(each.version) === version)
        return definition === undefined ? (
          <Page title="Start a job">
            <Empty
              icon="search"
              title="There is no such definition."
              action={<Link to="/definitions">All definitions</Link>}
            />
          </Page>
        ) : (
          <StartForm key={definitionName(definition)} definition={definition} />
        )
      }}
    </Loaded>
  )
}

function StartForm({ definition }: { definition: Definition }) {
  const navigate = useNavigate()
  const form = useParamsForm(definition.paramsSchema)
  const [queue, setQueue] = useState('')
  const [priority, setPriority] = useState('0')
  const [delay, setDelay] = useState('')
  const [attempts, setAttempts] = useState('')
  const [tags, setTags] = useState('')
  const start = useMutation({
    mutationFn: (params: Record<string, unknown>) =>
      read(
        api.v1.jobs.$post({
          json: {
            definitionKey: definition.key,
            definitionVersion: definition.version,
            params: params as never,
            priority: Number(priority || 0),
            ...(queue === '' ? {} : { queue }),
            ...(delay === '' ? {} : { delaySeconds: Number(delay) }),
            ...(attempts === '' ? {} : { maxAttempts: Number(attempts) }),
            tags: tags
              .split(',')
              .map((tag) => tag.trim())
              .filter((tag) => tag !== ''),
          },
        }),
      ),
    onSuccess: ({ jobId }) => {
      say('The job is queued.')
      void navigate({ to: '/jobs/$jobId', params: { jobId } })
    },
    onError: (error) => {
      if (error instanceof ApiProblem) form.show(error.details)
    },
  })

  function submit(event: FormEvent): void {
    event.preventDefault()
    const params = form.read()
    if (params !== null) start.mutate(params)
  }

  return (
    <Page
      title={<Foreign>{definition.key}</Foreign>}
      name={`Start ${definition.key}`}
      lead={`Tried ${definition.defaultMaxAttempts} ${definition.defaultMaxAttempts === 1 ? 'time' : 'times'}, for ${duration(definition.timeoutSeconds)} at most`}
    >
      <form className="form start-form" onSubmit={submit}>
        <Card>
          <ParamsFields form={form} />
        </Card>
        <Card title="How it is queued">
          <div className="form-row">
            <Field label="Queue">
              <input
                placeholder={definition.queue}
                value={queue}
                onChange={({ target }) => setQueue(target.value)}
              />
            </Field>
            <Field label="Priority" hint="Higher runs first.">
              <input type="number" value={priority} onChange={({ target }) => setPriority(target.value)} />
            </Field>
            <Field label="Delay in seconds">
              <input type="number" min={0} value={delay} onChange={({ target }) => setDelay(target.value)} />
            </Field>
            <Field label="Attempts">
              <input
                type="number"
                min={1}
                max={1000}
                placeholder={String(definition.defaultMaxAttempts)}
                value={attempts}
                onChange={({ target }) => setAttempts(target.value)}
              />
            </Field>
            <Field label="Tags" hint="Separated by commas.">
              <input value={tags} onChange={({ target }) => setTags(target.value)} />
            </Field>
          </div>
        </Card>
        {start.error === null ? null : (
          <p className="field-error" role="alert">
            {messageOf(start.error)}
          </p>
        )}
        <div className="actions">
          <Button needs="enqueue" type="submit" look="primary" icon="play" isBusy={start.isPending}>
            Start
          </Button>
        </div>
      </form>
    </Page>
  )
}
