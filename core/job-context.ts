/** What a `JobContext` takes and how a job ends itself: the same in a worker's process and in `runJob`. */
import { type JobContext, JobError, JobSnooze, JobWaits, type Json, type JsonObject } from './job.ts'
import { carried, clip, jobBounds } from './job-bounds.ts'
import { isJsonObject } from './json.ts'

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

/**
 * What JSON makes of a value that a job reports.
 * @throws TypeError, or what the value throws; JobError report_too_large
 */
export function checkedJson(what: string, value: unknown, limitBytes: number): Json {
  const came = carried(value, limitBytes)
  switch (came.kind) {
    case 'carried':
      return came.json
    case 'too_deep':
      throw new TypeError(`expected a ${what} that is not nested as deep as this one is`)
    case 'too_large': {
      const message = `The ${what} takes ${came.sizeBytes} bytes as JSON; ${limitBytes} are allowed.`
      throw new JobError('report_too_large', message, { retry: false })
    }
    case 'no_json':
      if ('thrown' in came) throw came.thrown
      throw new TypeError(`expected a ${what} that JSON can carry, got ${describedType(value)}`)
  }
}

/** @throws as `checkedJson` */
export function checkedJsonObject(what: string, value: unknown, limitBytes: number): JsonObject {
  const json = checkedJson(what, value, limitBytes)
  if (isJsonObject(json)) return json
  throw new TypeError(`expected a ${what} that is an object, got ${describedType(value)}`)
}

/** Logging never throws: what is no object becomes one, an error keeps its text, and what is too large is left out. */
export function logFieldsOf(given: unknown): JsonObject {
  if (given === undefined || given === null) return {}
  try {
    const value = given instanceof Error ? { error: described(given.stack ?? given) } : given
    const fields = checkedJson('set of fields', value, jobBounds.logFields)
    return isJsonObject(fields) ? fields : { value: fields }
  } catch (error) {
    return { omitted: clip(described(error), 300) }
  }
}

function describedType(value: unknown): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'a list' : typeof value
}

/** Anything may be thrown, also what has no text. */
export function described(thrown: unknown): string {
  try {
    return String(thrown)
  } catch {
    return `something of type ${typeof thrown}`
  }
}
