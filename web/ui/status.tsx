/** How a job is. Each status has a shape and a word of its own: nobody needs to tell colours apart. */
import type { ReactNode } from 'react'
import { serverNow } from '../server-clock.ts'
import type { JobStatus } from '../types.ts'

export type ShownStatus = JobStatus | 'scheduled'

const shapes: Record<ShownStatus, ReactNode> = {
  queued: <circle cx="8" cy="8" r="5" />,
  scheduled: <path d="M8 3a5 5 0 1 1 0 10A5 5 0 0 1 8 3m0 2.5V8l1.8 1.2" />,
  running: (
    <>
      <circle cx="8" cy="8" r="5" opacity=".3" />
      <path className="status-arc" d="M8 3a5 5 0 0 1 5 5" />
    </>
  ),
  succeeded: (
    <>
      <circle cx="8" cy="8" r="6" className="status-filled" />
      <path className="status-mark" d="m5.4 8.2 1.9 1.9 3.4-4" />
    </>
  ),
  failed: (
    <>
      <path className="status-filled" d="M8 1.6 14.4 8 8 14.4 1.6 8z" />
      <path className="status-mark" d="M8 5v3.6m0 1.9v.1" />
    </>
  ),
  cancelling: <path d="M8 3a5 5 0 1 1 0 10A5 5 0 0 1 8 3M6.3 6.3h3.4v3.4H6.3z" strokeDasharray="3 1.5" />,
  cancelled: <path d="M8 3a5 5 0 1 1 0 10A5 5 0 0 1 8 3M4.6 11.4l6.8-6.8" />,
}

const words: Record<ShownStatus, string> = {
  queued: 'Queued',
  scheduled: 'Scheduled',
  running: 'Running',
  succeeded: 'Succeeded',
  failed: 'Failed',
  cancelling: 'Cancelling',
  cancelled: 'Cancelled',
}

/** A queued job whose time is still to come is scheduled: delayed, or waiting for its next attempt. */
export function shownStatus(job: { status: JobStatus; scheduledAt: string | null }): ShownStatus {
  const isLater = job.scheduledAt !== null && Date.parse(job.scheduledAt) > serverNow()
  return job.status === 'queued' && isLater ? 'scheduled' : job.status
}

export function StatusIcon({ status }: { status: ShownStatus }) {
  return (
    <svg className={`status-icon status-${status}`} viewBox="0 0 16 16" aria-hidden="true">
      {shapes[status]}
    </svg>
  )
}

export function Status({ status }: { status: ShownStatus }) {
  return (
    <span className="status">
      <StatusIcon status={status} />
      {words[status]}
    </span>
  )
}
