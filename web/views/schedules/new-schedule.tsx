/** Makes a schedule, and shows what its expression means while it is typed. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { type FormEvent, useDeferredValue, useState } from 'react'
import { ApiProblem, api, messageOf, read } from '../../api.ts'
import { definitionsQuery } from '../../queries.ts'
import type { Definition } from '../../types.ts'
import { Field } from '../../ui/basics.tsx'
import { Dialog } from '../../ui/dialog.tsx'
import { FormEnd } from '../../ui/form-end.tsx'
import { dateTime, definitionName } from '../../ui/format.ts'
import { say } from '../../ui/notices.ts'
import { ParamsFields, useParamsForm } from '../../ui/params-form.tsx'
import { Time } from '../../ui/time.tsx'

const overlaps = {
  allow: 'starts another',
  skip: 'leaves the time out',
  queueOne: 'lets one wait',
}
const shownTimes = 5

export function NewSchedule({ onClose }: { onClose: () => void }) {
  const definitions = useQuery(definitionsQuery)
  const [chosen, setChosen] = useState('')
  const all = definitions.data ?? []
  const definition = all.find((each) => definitionName(each) === chosen) ?? all[0]
  return (
    <Dialog title="New schedule" isOpen onClose={onClose}>
      <Field label="Starts">
        <select
          value={definition === undefined ? '' : definitionName(definition)}
          onChange={({ target }) => setChosen(target.value)}
        >
          {all.map((each) => (
            <option key={definitionName(each)} value={definitionName(each)}>
              {each.version === 1 ? each.key : definitionName(each)}
            </option>
          ))}
        </select>
      </Field>
      {definition === undefined ? null : (
        <ScheduleForm key={definitionName(definition)} definition={definition} onClose={onClose} />
      )}
    </Dialog>
  )
}

function ScheduleForm({ definition, onClose }: { definition: Definition; onClose: () => void }) {
  const queries = useQueryClient()
  const navigate = useNavigate()
  const form = useParamsForm(definition.paramsSchema)
  const [name, setName] = useState('')
  const [expression, setExpression] = useState('')
  const [timezone, setTimezone] = useState(() => Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC')
  const [overlap, setOverlap] = useState<keyof typeof overlaps>('allow')
  const make = useMutation({
    mutationFn: (params: Record<string, unknown>) =>
      read(
        api.v1.schedules.$post({
          json: {
            name,
            expression,
            timezone,
            overlap,
            definitionKey: definition.key,
            definitionVersion: definition.version,
            params: params as never,
          },
        }),
      ),
    onSuccess: (schedule) => {
      say(`${schedule.name} is made.`)
      void queries.invalidateQueries({ queryKey: ['schedules'] })
      onClose()
      void navigate({ to: '/schedules/$scheduleId', params: { scheduleId: schedule.scheduleId } })
    },
    onError: (error) => {
      if (error instanceof ApiProblem)
        form.show(error.details.filter(({ path }) => path.startsWith('params')))
    },
  })

  function submit(event: FormEvent): void {
    event.preventDefault()
    const params = form.read()
    if (params !== null) make.mutate(params)
  }

  return (
    <form className="form" onSubmit={submit}>
      <Field label="Name">
        <input required maxLength={255} value={name} onChange={({ target }) => setName(target.value)} />
      </Field>
      <div className="form-row">
        <Field label="When" hint="Cron, “every 90s”, or one time.">
          <input
            required
            placeholder="30 2 * * 1-5"
            spellCheck={false}
            value={expression}
            onChange={({ target }) => setExpression(target.value)}
          />
        </Field>
        <Field label="Time zone">
          <input required value={timezone} onChange={({ target }) => setTimezone(target.value)} />
        </Field>
      </div>
      <Preview expression={expression} timezone={timezone} />
      <Field label="While the job before has not ended, it">
        <select value={overlap} onChange={({ target }) => setOverlap(target.value as keyof typeof overlaps)}>
          {Object.entries(overlaps).map(([value, does]) => (
            <option key={value} value={value}>
              {does}
            </option>
          ))}
        </select>
      </Field>
      <ParamsFields form={form} />
      <FormEnd
        error={make.error}
        action="Make the schedule"
        needs="admin"
        isBusy={make.isPending}
        onCancel={onClose}
      />
    </form>
  )
}

function Preview({ expression, timezone }: { expression: string; timezone: string }) {
  const wanted = useDeferredValue(expression.trim())
  const preview = useQuery({
    queryKey: ['preview', wanted, timezone],
    queryFn: () =>
      read(
        api.v1.schedules.preview.$get({ query: { expression: wanted, timezone, count: String(shownTimes) } }),
      ),
    enabled: wanted !== '',
    retry: false,
  })
  if (wanted === '') return null
  return (
    <div className="preview" aria-live="polite">
      {preview.error === null ? null : <p className="field-error">{messageOf(preview.error)}</p>}
      {preview.data === undefined ? null : (
        <>
          <p className="preview-words">{preview.data.description}</p>
          <ol>
            {preview.data.times.map((time) => (
              <li key={time}>
                {dateTime(time, timezone)}{' '}
                <span className="faint">
                  <Time at={time} />
                </span>
              </li>
            ))}
          </ol>
        </>
      )}
    </div>
  )
}
