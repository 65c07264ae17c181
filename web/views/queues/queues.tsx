/** The queues: how full they are, and a hand to hold one back. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { api, read } from '../../api.ts'
import { useLiveQuery } from '../../live/live.ts'
import { queuesQuery } from '../../queries.ts'
import type { Queue } from '../../types.ts'
import { Button, Card, Empty, Foreign, Loaded, Page } from '../../ui/basics.tsx'
import { count, duration } from '../../ui/format.ts'
import { Time } from '../../ui/time.tsx'
import { say, sayFailure } from '../../ui/toasts.tsx'

export function Queues() {
  const queues = useQuery(queuesQuery)
  useLiveQuery(queuesQuery.queryKey)
  return (
    <Page title="Queues" lead="A paused queue keeps its jobs; what runs goes on.">
      <Card flush>
        <Loaded query={queues}>
          {(all) =>
            all.length === 0 ? (
              <Empty icon="queues" title="There are no queues yet.">
                A queue is there as soon as a definition or a job names it.
              </Empty>
            ) : (
              <QueueTable queues={all} />
            )
          }
        </Loaded>
      </Card>
    </Page>
  )
}

function QueueTable({ queues }: { queues: Queue[] }) {
  return (
    <div className="table-scroller">
      <table className="table">
        <thead>
          <tr>
            <th scope="col">Queue</th>
            <th scope="col" className="number">
              Ready
            </th>
            <th scope="col" className="number">
              Oldest
            </th>
            <th scope="col" className="number">
              Running
            </th>
            <th scope="col" className="number wide">
              Due later
            </th>
            <th scope="col" className="number wide">
              Blocked
            </th>
            <th scope="col" className="number wide">
              Waiting for others
            </th>
            <th scope="col">
              <span className="unseen">What can be done</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {queues.map((queue) => (
            <tr key={queue.name}>
              <td>
                <Link to="/jobs" search={{ queue: queue.name }} className="name">
                  <Foreign>{queue.name}</Foreign>
                </Link>
                {queue.pausedAt === null ? null : (
                  <span className="tag tag-warn">
                    paused <Time at={queue.pausedAt} />
                  </span>
                )}
              </td>
              <Numbers values={[queue.ready]} />
              <td className="number">
                {queue.oldestAgeSeconds === null ? (
                  <span className="faint">–</span>
                ) : (
                  duration(queue.oldestAgeSeconds)
                )}
              </td>
              <Numbers values={[queue.running]} />
              <Numbers values={[queue.scheduled, queue.blocked, queue.waiting]} isWide />
              <td className="table-actions">
                <PauseButton queue={queue} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

/** Nothing is said more quietly than something. */
function Numbers({ values, isWide = false }: { values: number[]; isWide?: boolean }) {
  return values.map((value, place) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: a column is its place
    <td key={place} className={`number${value === 0 ? ' faint' : ''}${isWide ? ' wide' : ''}`}>
      {count(value)}
    </td>
  ))
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
    <Button icon="pause" isBusy={pause.isPending} onClick={() => pause.mutate()}>
      Pause
    </Button>
  ) : (
    <Button icon="play" look="primary" isBusy={resume.isPending} onClick={() => resume.mutate()}>
      Resume
    </Button>
  )
}
