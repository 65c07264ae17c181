/** What stands below the charts: queues, workers and what failed last, the few that matter most. */
import { Link } from '@tanstack/react-router'
import type { DeadLetter, Queue, Worker } from '../../types.ts'
import { Empty, Foreign } from '../../ui/basics.tsx'
import { count, duration } from '../../ui/format.ts'
import { Slots } from '../../ui/slots.tsx'
import { StatusIcon } from '../../ui/status.tsx'
import { Time } from '../../ui/time.tsx'

const shown = 6

export function QueueDepths({ queues }: { queues: Queue[] }) {
  if (queues.length === 0) return <Empty icon="queues" title="No queue has jobs." />
  const fullest = [...queues].sort((a, b) => depthOf(b) - depthOf(a)).slice(0, shown)
  const most = Math.max(1, ...fullest.map(depthOf))
  return (
    <ul className="rows">
      {fullest.map((queue) => (
        <li key={queue.name} className="depth">
          <Link to="/jobs" search={{ queue: queue.name, status: 'queued' }} className="depth-name">
            <Foreign>{queue.name}</Foreign>
            {queue.pausedAt === null ? null : <span className="tag tag-warn">paused</span>}
          </Link>
          <svg className="depth-bar" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">
            <rect className="depth-track" width="100" height="6" rx="3" />
            <rect className="depth-fill" width={(depthOf(queue) / most) * 100} height="6" rx="3" />
          </svg>
          <span className="number">{count(queue.ready)}</span>
          <span className="aside number">
            {queue.oldestAgeSeconds === null ? '–' : duration(queue.oldestAgeSeconds)}
          </span>
        </li>
      ))}
    </ul>
  )
}

export function WorkerSlots({ workers }: { workers: Worker[] }) {
  const all = workers.filter(({ kind }) => kind === 'worker')
  if (all.length === 0) {
    return (
      <Empty icon="workers" title="No worker is up.">
        Jobs wait until one is: <code>bun run worker</code>
      </Empty>
    )
  }
  return (
    <ul className="rows">
      {all.slice(0, shown).map((worker) => (
        <li key={worker.id} className="worker-row">
          <span className="worker-name">
            <Foreign>{worker.id}</Foreign>
            {worker.alive ? null : <span className="tag tag-bad">silent</span>}
          </span>
          <Slots worker={worker} />
          <span className="number">
            {worker.runningJobs} {/* Short jobs are taken up many at a time for one slot. */}
            {worker.runningJobs > worker.slots ? 'on' : 'of'} {worker.slots}
          </span>
        </li>
      ))}
    </ul>
  )
}

export function Failing({ letters }: { letters: DeadLetter[] }) {
  if (letters.length === 0) return <Empty icon="check" title="Nothing that failed waits for somebody." />
  return (
    <ul className="rows">
      {letters.map((letter) => (
        <li key={letter.dlqJobId}>
          <Link to="/jobs/$jobId" params={{ jobId: letter.originalJobId }} className="failing">
            <StatusIcon status="failed" />
            <span className="failing-what">
              <Foreign>{letter.definitionKey}</Foreign>
              <span className="failing-error">
                <Foreign>{letter.errorSummary ?? letter.errorCode ?? ''}</Foreign>
              </span>
            </span>
            <span className="aside">
              <Time at={letter.movedToDlqAt} />
            </span>
          </Link>
        </li>
      ))}
    </ul>
  )
}

function depthOf({ ready, blocked }: Queue): number {
  return ready + blocked
}
