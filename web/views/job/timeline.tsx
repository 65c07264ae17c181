/** What happened to a job, in order; each attempt with how it ended. */
import type { StreamEvent } from '../../live/event-stream.ts'
import type { Job } from '../../types.ts'
import { Empty, Foreign } from '../../ui/basics.tsx'
import { dateTime, duration } from '../../ui/format.ts'
import { Duration, Time } from '../../ui/time.tsx'
import { AttemptError } from './attempt-error.tsx'
import type { JobStream } from './job-stream.ts'
import { NothingRead } from './nothing-read.tsx'

const titles: Record<string, string> = {
  queued: 'Queued',
  started: 'Started',
  retry_scheduled: 'To be tried again',
  snoozed: 'Asked for later',
  interrupted: 'Handed back',
  waiting: 'Waits for its children',
  cancelling: 'Being stopped',
  succeeded: 'Succeeded',
  failed: 'Failed',
  cancelled: 'Cancelled',
}

/** Of outcomes; what stands not here is a failure. */
const looks: Record<string, string> = {
  succeeded: 'good',
  waiting: 'plain',
  snoozed: 'plain',
  interrupted: 'plain',
  cancelled: 'plain',
}

export function Attempts({ job }: { job: Job }) {
  const isRunning = job.status === 'running' || job.status === 'cancelling'
  if (job.attemptHistory.length === 0 && !isRunning) {
    return <Empty icon="play" title="It has not been started yet." />
  }
  return (
    <ol className="attempts">
      {job.attemptHistory.map((attempt, index) => (
        // An attempt that was handed back has the number of the one before.
        // biome-ignore lint/suspicious/noArrayIndexKey: they are only ever appended
        <li key={index} className={`attempt attempt-${looks[attempt.outcome] ?? 'bad'}`}>
          <span className="attempt-number">{attempt.attempt}</span>
          <span className="attempt-what">
            <strong>{attempt.outcome.replaceAll('_', ' ')}</strong>
            <span className="aside">
              after <Duration from={attempt.startedAt} to={attempt.endedAt} /> on{' '}
              <Foreign>{attempt.workerId}</Foreign>
            </span>
            {attempt.error === null ? null : <AttemptError error={attempt.error} />}
          </span>
          <span className="aside">
            <Time at={attempt.endedAt} />
          </span>
        </li>
      ))}
      {isRunning ? (
        <li className="attempt attempt-now">
          <span className="attempt-number">{job.attempts}</span>
          <span className="attempt-what">
            <strong>running</strong>
            <span className="aside">
              for <Duration from={job.startedAt} to={null} /> on <Foreign>{job.workerId ?? '?'}</Foreign>
            </span>
          </span>
        </li>
      ) : null}
    </ol>
  )
}

export function Timeline({ stream }: { stream: JobStream }) {
  const { events } = stream
  if (events.length === 0)
    return <NothingRead stream={stream} icon="schedules" title="Nothing has happened yet." />
  return (
    <ol className="timeline" aria-label="Events">
      {events.map((event) => (
        <li
          key={event.id}
          className={`event event-${Object.hasOwn(titles, event.eventType) ? event.eventType : 'own'}`}
        >
          <time dateTime={event.at} title={dateTime(event.at)} className="event-time">
            {clock(event.at)}
          </time>
          <span className="event-what">
            <Foreign>
              {(Object.hasOwn(titles, event.eventType) && titles[event.eventType]) || event.eventType}
            </Foreign>
            <Detail event={event} />
          </span>
        </li>
      ))}
    </ol>
  )
}

/** The part of an event that says more than its name. */
function Detail({ event: { eventType, payload } }: { event: StreamEvent }) {
  const text = detailOf(eventType, payload)
  return text === '' ? null : (
    <span className="event-detail">
      <Foreign>{text.length > 300 ? `${text.slice(0, 300)}…` : text}</Foreign>
    </span>
  )
}

function detailOf(type: string, payload: Record<string, unknown>): string {
  const { attempt, workerId, message, errorCode, retryInSeconds } = payload
  if (type === 'started') return `attempt ${attempt} on ${workerId}`
  if (Object.hasOwn(titles, type)) {
    const wait = typeof retryInSeconds === 'number' ? `in ${duration(retryInSeconds)}` : undefined
    return [wait, message ?? errorCode].filter((part) => typeof part === 'string').join(' · ')
  }
  return Object.keys(payload).length === 0 ? '' : JSON.stringify(payload)
}

function clock(time: string): string {
  const date = new Date(time)
  return `${date.toLocaleTimeString('en-GB')}.${String(date.getMilliseconds()).padStart(3, '0')}`
}
