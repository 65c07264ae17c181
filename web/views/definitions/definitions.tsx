/** What can be run, how it fares, and a way to start it. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import type { InferResponseType } from 'hono/client'
import { api, read } from '../../api.ts'
import { definitionsQuery } from '../../queries.ts'
import type { Definition } from '../../types.ts'
import { Card, Empty, Foreign, Loaded, Page } from '../../ui/basics.tsx'
import { type Column, DataTable } from '../../ui/data-table.tsx'
import { count, definitionName, duration, percent } from '../../ui/format.ts'
import { Icon } from '../../ui/icons.tsx'
import { say, sayFailure } from '../../ui/notices.ts'
import { RemoveButton } from '../../ui/remove-button.tsx'

type Known = InferResponseType<typeof api.v1.metrics.definitions.$get>['definitions'][number]
type Row = Definition & { known: Known | undefined }

export function Definitions() {
  const definitions = useQuery(definitionsQuery)
  const metrics = useQuery({
    queryKey: ['metrics', 'definitions'],
    queryFn: () => read(api.v1.metrics.definitions.$get()),
    select: (answer) =>
      new Map(
        answer.definitions.map((each) => [
          definitionName({ key: each.definitionKey, version: each.definitionVersion }),
          each,
        ]),
      ),
    refetchInterval: 5000,
  })
  return (
    <Page title="Definitions" lead="Each is a file in jobs/ of the workers; they register what they find.">
      <Card flush>
        <Loaded query={definitions}>
          {(all) =>
            all.length === 0 ? (
              <Empty icon="definitions" title="Nothing is registered yet.">
                Workers do so when they start; <code>bun run register-definitions</code> does it without one.
              </Empty>
            ) : (
              <DataTable
                rows={all.map((definition) => ({
                  ...definition,
                  known: metrics.data?.get(definitionName(definition)),
                }))}
                columns={columns}
                keyOf={definitionName}
              />
            )
          }
        </Loaded>
      </Card>
    </Page>
  )
}

const columns: Column<Row>[] = [
  {
    heading: 'Definition',
    cell: ({ key, version }) => (
      <>
        <Link to="/jobs" search={{ definition: key }} className="name">
          <Foreign>{key}</Foreign>
        </Link>
        {version === 1 ? null : <span className="tag">v{version}</span>}
      </>
    ),
  },
  { heading: 'Queue', isWide: true, cell: ({ queue }) => <Foreign>{queue}</Foreign> },
  { heading: 'Jobs', kind: 'number', cell: ({ known }) => count(known?.total ?? 0) },
  {
    heading: 'Succeed',
    kind: 'number',
    cell: ({ known }) =>
      known === undefined || known.byStatus.succeeded + known.byStatus.failed === 0
        ? '–'
        : percent(known.successRate),
  },
  {
    heading: 'Mean run',
    kind: 'number',
    isWide: true,
    cell: ({ known }) => (known?.avgProcessingTime == null ? '–' : duration(known.avgProcessingTime)),
  },
  { heading: 'Attempts', kind: 'number', isWide: true, cell: ({ defaultMaxAttempts }) => defaultMaxAttempts },
  {
    heading: 'Time limit',
    kind: 'number',
    isWide: true,
    cell: ({ timeoutSeconds }) => duration(timeoutSeconds),
  },
  {
    heading: 'At once',
    kind: 'number',
    isWide: true,
    cell: ({ concurrencyLimit }) => concurrencyLimit ?? 'any',
  },
  {
    heading: 'What can be done',
    kind: 'actions',
    cell: ({ key, version }) => (
      <>
        <Remove definition={{ key, version }} />
        <Link
          to="/definitions/$key/$version"
          params={{ key, version: String(version) }}
          className="button button-plain"
        >
          <Icon name="play" />
          Start
        </Link>
      </>
    ),
  },
]

function Remove({ definition }: { definition: Pick<Definition, 'key' | 'version'> }) {
  const queries = useQueryClient()
  const name = definitionName(definition)
  const remove = useMutation({
    mutationFn: () => {
      // The client puts it into the path as it is.
      const param = { key: encodeURIComponent(definition.key), version: String(definition.version) }
      return read(api.v1.definitions[':key'][':version'].$delete({ param }))
    },
    onSuccess: () => {
      say(`${name} is removed.`)
      void queries.invalidateQueries({ queryKey: definitionsQuery.queryKey })
    },
    onError: (error) => sayFailure('It could not be removed.', error),
  })
  return (
    <RemoveButton
      title={`Remove ${name}?`}
      text="It must have no job, schedule or worker any more. Its history stays; a worker that has its code brings it back."
      onConfirm={() => remove.mutate()}
    />
  )
}
