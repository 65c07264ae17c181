/** The queues: how full they are, and a hand to hold one back. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { api, read } from '../../api.ts'
import { useLiveQuery } from '../../live/live.ts'
import { queuesQuery } from '../../queries.ts'
import type { Queue } from '../../types.ts'
import { Button, Card, Empty, Foreign, Loaded, Page } from '../../ui/basics.tsx'
import { type Column, DataTable } from '../../ui/data-table.tsx'
import { count, duration } from '../../ui/format.ts'
import { say, sayFailure } from '../../ui/notices.ts'
import { Time } from '../../ui/time.tsx'

export function Queues() {
  const queues = useQuery(queuesQuery)
  useLiveQuery(queuesQuery.queryKey)
  return (
    <Page title="Queues" lead="A paused queue keeps its jobs; what runs goes on.">
      <Card flush>
        <Loaded query={queues}>
          {(page) =>
            page.queues.length === 0 ? (
              <Empty icon="queues" title="There are no queues yet.">
                A queue is there as soon as a definition or a job names it.
              </Empty>
            ) : (
              <>
                <DataTable rows={page.queues} columns={columns} keyOf={({ name }) => name} />
                {page.total > page.queues.length ? (
                  <p className="more">
                    The first {count(page.queues.length)} of {count(page.total)}
                  </p>
                ) : null}
              </>
            )
          }
        </Loaded>
      </Card>
    </Page>
  )
}

const columns: Column<Queue>[] = [
  {
    heading: 'Queue',
    cell: ({ name, pausedAt }) => (
      <>
        <Link to="/jobs" search={{ queue: name }} className="name">
          <Foreign>{name}</Foreign>
        </Link>
        {pausedAt === null ? null : (
          <span className="tag tag-warn">
            paused <Time at={pausedAt} />
          </span>
        )}
      </>
    ),
  },
  { heading: 'Ready', kind: 'number', cell: ({ ready }) => quietly(ready) },
  {
    heading: 'Oldest',
    kind: 'number',
    cell: ({ oldestAgeSeconds: age }) => (age === null ? <span className="faint">–</span> : duration(age)),
  },
  { heading: 'Running', kind: 'number', cell: ({ running }) => quietly(running) },
  { heading: 'Due later', kind: 'number', isWide: true, cell: ({ scheduled }) => quietly(scheduled) },
  { heading: 'Blocked', kind: 'number', isWide: true, cell: ({ blocked }) => quietly(blocked) },
  { heading: 'Waiting for others', kind: 'number', isWide: true, cell: ({ waiting }) => quietly(waiting) },
  {
    heading: 'What can be done',
    kind: 'actions',
    isBrief: true,
    cell: (queue) => <PauseButton queue={queue} />,
  },
]

/** Nothing is said more quietly than something. */
function quietly(value: number) {
  return value === 0 ? <span className="faint">0</span> : count(value)
}

function PauseButton({ queue }: { queue: Queue }) {
  const queries = useQueryClient()
  const param = { name: queue.name }
  const options = {
    onError: (error: unknown) => sayFailure('It stays as it is.', error),
    onSettled: () => queries.invalidateQueries({ queryKey: queuesQuery.queryKey }),
  }
  const resume = useMutation({
    mutationFn: () => read(api.v1.queues[':name'].resume.$post({ param })),
    onSuccess: () => say(`The queue ${queue.name} goes on.`),
    ...options,
  })
  const pause = useMutation({
    mutationFn: () => read(api.v1.queues[':name'].pause.$post({ param })),
    onSuccess: () => say(`The queue ${queue.name} is paused.`, { label: 'Undo', run: () => resume.mutate() }),
    ...options,
  })
  return queue.pausedAt === null ? (
    <Button needs="admin" icon="pause" isBusy={pause.isPending} onClick={() => pause.mutate()}>
      Pause
    </Button>
  ) : (
    <Button
      needs="admin"
      icon="play"
      look="primary"
      isBusy={resume.isPending}
      onClick={() => resume.mutate()}
    >
      Resume
    </Button>
  )
}
