/** Which jobs are shown: every word of it stands in the address. */
import { useQuery } from '@tanstack/react-query'
import { definitionsQuery, queuesQuery } from '../../queries.ts'
import { type JobSearch, shownStatuses } from '../../router.tsx'
import { Button, Foreign } from '../../ui/basics.tsx'
import { Icon } from '../../ui/icons.tsx'
import { spans } from './job-filter.ts'

export function Filters({
  search,
  text,
  onText,
  onSubmit,
  onSearch,
}: {
  search: JobSearch
  /** In the search box, entered or not. */
  text: string
  onText: (text: string) => void
  onSubmit: () => void
  onSearch: (change: JobSearch) => void
}) {
  const definitions = useQuery(definitionsQuery)
  const queues = useQuery(queuesQuery)
  const keys = [...new Set(definitions.data?.map(({ key }) => key))]
  return (
    <div className="filters">
      <SearchBox
        text={text}
        onText={(next) => {
          onText(next)
          if (next === '' && search.error !== undefined) onSearch({ error: undefined })
        }}
        onSubmit={onSubmit}
      />
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
        options={(queues.data?.queues ?? []).map(({ name }) => [name, name])}
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

function SearchBox({
  text,
  onText,
  onSubmit,
}: {
  text: string
  onText: (text: string) => void
  onSubmit: () => void
}) {
  return (
    <search>
      <form
        className="search"
        onSubmit={(event) => {
          event.preventDefault()
          onSubmit()
        }}
      >
        <Icon name="search" />
        <input
          type="search"
          aria-label="Search jobs"
          placeholder="Error text, job id, tag:… or worker:…"
          maxLength={500}
          value={text}
          onChange={({ target }) => onText(target.value)}
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
