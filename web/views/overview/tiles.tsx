/** The numbers that say whether anything needs somebody. */
import { Link, type LinkProps } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import type { JobStatus, QueuePage, Worker } from '../../types.ts'
import { Meter } from '../../ui/basics.tsx'
import { count, duration, percent } from '../../ui/format.ts'
import { StatusIcon } from '../../ui/status.tsx'

export function Tiles({
  byStatus,
  depth,
  workers = [],
  lastHour,
  deadLetters,
}: {
  byStatus: Record<JobStatus, number>
  depth: QueuePage['all'] | undefined
  workers: Worker[] | undefined
  lastHour: { succeeded: number; failed: number } | undefined
  deadLetters: number | undefined
}) {
  const slots = workers
    .filter(({ kind, alive }) => kind === 'worker' && alive)
    .reduce((sum, worker) => sum + worker.slots, 0)
  const { ready = 0, scheduled = 0, oldestAgeSeconds: oldest = null } = depth ?? {}
  const ended = lastHour === undefined ? 0 : lastHour.succeeded + lastHour.failed
  return (
    <div className="tiles">
      <Tile
        name="Running"
        icon={<StatusIcon status="running" />}
        value={count(byStatus.running)}
        link={{ to: '/jobs', search: { status: 'running' } }}
      >
        {slots === 0 ? (
          <span className="warn">no worker is up</span>
        ) : (
          <>
            <Meter part={byStatus.running / slots} label={`${byStatus.running} of ${slots} slots`} />
            of {count(slots)} slots
          </>
        )}
      </Tile>
      <Tile
        name="Waiting"
        icon={<StatusIcon status="queued" />}
        value={count(ready)}
        link={{ to: '/jobs', search: { status: 'queued' } }}
      >
        {oldest === null ? 'nobody waits' : `oldest ${duration(oldest)}`}
      </Tile>
      <Tile
        name="Due later"
        icon={<StatusIcon status="scheduled" />}
        value={count(scheduled)}
        link={{ to: '/queues' }}
      >
        delayed or between attempts
      </Tile>
      <Tile
        name="Succeeded"
        icon={<StatusIcon status="succeeded" />}
        value={lastHour === undefined ? '–' : count(lastHour.succeeded)}
        link={{ to: '/jobs', search: { status: 'succeeded' } }}
      >
        last hour{ended === 0 ? '' : `, ${percent((lastHour?.succeeded ?? 0) / ended)}`}
      </Tile>
      <Tile
        name="Failed"
        icon={<StatusIcon status="failed" />}
        value={lastHour === undefined ? '–' : count(lastHour.failed)}
        link={{ to: '/jobs', search: { status: 'failed' } }}
      >
        last hour
      </Tile>
      <Tile
        name="Dead letters"
        icon={<StatusIcon status="cancelled" />}
        value={deadLetters === undefined ? '–' : count(deadLetters)}
        link={{ to: '/dead-letters' }}
      >
        {deadLetters === 0 ? 'nothing to do' : 'wait for somebody'}
      </Tile>
    </div>
  )
}

function Tile({
  name,
  icon,
  value,
  link,
  children,
}: {
  name: string
  icon: ReactNode
  value: string
  link: Pick<LinkProps, 'to' | 'search'>
  children: ReactNode
}) {
  return (
    <Link {...link} className="tile">
      <span className="tile-name">
        {icon}
        {name}
      </span>
      <span className="tile-value">{value}</span>
      <span className="tile-note">{children}</span>
    </Link>
  )
}
