/** What a `JobContext` takes and how a job ends itself: the same in a worker's process and in `runJob`. */
import { type JobContext, JobError, JobSnooze, JobWaits } from './job.ts'

export const endings: Pick<JobContext, 'fail' | 'retryIn' | 'snooze' | 'enqueueChildren'> = {
  fail: (message, { retry, code = 'failed' } = {}) => {
    throw new JobError(code, message, retry === undefined ? {} : { retry })
  },
  retryIn: (seconds, message = `The job asked for another attempt in ${seconds} s.`) => {
    throw new JobError('retry_in', message, { retryInSeconds: checkedSeconds(seconds) })
  },
  snooze: (seconds) => {
    throw new JobSnooze(checkedSeconds(seconds))
  },
  enqueueChildren: (jobs, { onFailure = 'fail' } = {}) => {
    throw new JobWaits(jobs, onFailure)
  },
}

/** What a worker holds to, whatever the job's process says. */
export const contextBounds = {
  /** A year. */
  seconds: 31_536_000,
  eventTypeLength: 100,
  storedName: /^[\w.-]{1,100}$/,
  contentTypeLength: 200,
}

/** @throws RangeError */
export function checkedSeconds(seconds: number): number {
  if (Number.isFinite(seconds) && seconds >= 0 && seconds <= contextBounds.seconds) return seconds
  throw new RangeError(`expected 0 to ${contextBounds.seconds} seconds, got ${seconds}`)
}

/** @throws RangeError */
export function checkEventType(eventType: string): void {
  const length = contextBounds.eventTypeLength
  if (eventType === '' || eventType.length > length)
    throw new RangeError(`expected a type of 1 to ${length} characters`)
}

/** @throws RangeError */
export function checkUpload({ name, contentType }: { name: string; contentType: string }): void {
  if (!contextBounds.storedName.test(name)) {
    throw new RangeError(
      `expected a name of 1 to 100 letters (a-z), digits, . _ or -, got ${JSON.stringify(name)}`,
    )
  }
  const length = contextBounds.contentTypeLength
  if (contentType.length > length)
    throw new RangeError(`expected a content type of ${length} characters at most`)
}
