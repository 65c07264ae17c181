/** Which jobs are shown: every word of it stands in the address. */
import { useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { type FormEvent, useEffect, useState } from 'react'
import { definitionsQuery, queuesQuery } from '../../queries.ts'
import { type JobSearch, shownStatuses } from '../../router.tsx'
import { Button, Foreign } from '../../ui/basics.tsx'
import { Icon } from '../../ui/icons.tsx'
import { spans } from './job-pages.ts'

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

export function Filters({ search, onSearch }: { search: JobSearch; onSearch: (change: JobSearch) => void }) {
  const definitions = useQuery(definitionsQuery)
  const queues = useQuery(queuesQuery)
  const keys = [...new Set(definitions.data?.map(({ key }) => key))]
  return (
    <div className="filters">
      <SearchBox search={search} onSearch={onSearch} />
      <Choice
        label="Status"
        value={search.status}
        all="Any status"
        options={shownStatuses.map((status) => [status, status])}
        onChoice={(status) => onSearch({ status: status as JobSearch['status'] })}
      />
      <Choice
        label="Definition"
        value={search.definition}
        all="Any definition"
        options={keys.map((key) => [key, key])}
        onChoice={(definition) => onSearch({ definition })}
      />
      <Choice
        label="Queue"
        value={search.queue}
        all="Any queue"
        options={(queues.data ?? []).map(({ name }) => [name, name])}
        onChoice={(queue) => onSearch({ queue })}
      />
      <Choice
        label="Time"
        value={search.since}
        all="Any time"
        options={Object.entries(spans).map(([value, { name }]) => [value, name])}
        onChoice={(since) => onSearch({ since })}
      />
      {(['tag', 'worker'] as const).map((name) =>
        search[name] === undefined ? null : (
          <span key={name} className="tag tag-filter">
            {name} <Foreign>{search[name]}</Foreign>
            <Button
              look="quiet"
              icon="close"
              aria-label={`Without the ${name}`}
              onClick={() => onSearch({ [name]: undefined })}
            />
          </span>
        ),
      )}
    </div>
  )
}

/** An id leads to its job, `tag:x` and `worker:x` to theirs; anything else is looked for in errors. */
function SearchBox({ search, onSearch }: { search: JobSearch; onSearch: (change: JobSearch) => void }) {
  const navigate = useNavigate()
  const [text, setText] = useState(search.error ?? '')
  useEffect(() => setText(search.error ?? ''), [search.error])

  function submit(event: FormEvent): void {
    event.preventDefault()
    const wanted = text.trim()
    const [, name, value] = /^(tag|worker):\s*(.+)$/.exec(wanted) ?? []
    if (uuid.test(wanted)) void navigate({ to: '/jobs/$jobId', params: { jobId: wanted.toLowerCase() } })
    else if (name !== undefined) {
      setText('')
      onSearch({ [name]: value })
    } else onSearch({ error: wanted === '' ? undefined : wanted })
  }

  return (
    <search>
      <form className="search" onSubmit={submit}>
        <Icon name="search" />
        <input
          type="search"
          aria-label="Search jobs"
          placeholder="Error text, job id, tag:… or worker:…"
          maxLength={500}
          value={text}
          onChange={(event) => {
            setText(event.target.value)
            if (event.target.value === '' && search.error !== undefined) onSearch({ error: undefined })
          }}
        />
        <kbd>/</kbd>
      </form>
    </search>
  )
}

function Choice({
  label,
  value,
  all,
  options,
  onChoice,
}: {
  label: string
  value: string | undefined
  all: string
  options: [value: string, name: string][]
  onChoice: (value: string | undefined) => void
}) {
  // What the address asks for stands there even before the list of choices has come.
  const known = value === undefined || options.some(([option]) => option === value)
  return (
    <select
      aria-label={label}
      value={value ?? ''}
      className={value === undefined ? 'choice' : 'choice choice-made'}
      onChange={({ target }) => onChoice(target.value === '' ? undefined : target.value)}
    >
      <option value="">{all}</option>
      {known ? null : <option value={value}>{value}</option>}
      {options.map(([option, name]) => (
        <option key={option} value={option}>
          {name}
        </option>
      ))}
    </select>
  )
}
