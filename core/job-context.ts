/** What a `JobContext` takes and how a job ends itself: the same in a worker's process and in `runJob`. */
import { type JobContext, JobError, JobSnooze, JobWaits, type Json, type JsonObject } from './job.ts'
import { isShallow } from './job-bounds.ts'

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

/** @throws TypeError */
export function checkedJson(what: string, value: unknown): Json {
  const text = JSON.stringify(value)
  if (text === undefined)
    throw new TypeError(`expected ${what} that JSON can carry, got ${describedType(value)}`)
  const json: Json = JSON.parse(text)
  if (!isShallow(json)) throw new TypeError(`expected ${what} that is not nested as deep as this one is`)
  return json
}

/** @throws TypeError */
export function checkedJsonObject(what: string, value: unknown): JsonObject {
  const json = checkedJson(what, value)
  if (isObject(json)) return json
  throw new TypeError(`expected ${what} to be an object, got ${describedType(value)}`)
}

/** Logging never throws: what is no object becomes one, and an error keeps its text. */
export function logFieldsOf(given: unknown): JsonObject {
  if (given === undefined || given === null) return {}
  try {
    const fields =
      given instanceof Error ? { error: described(given.stack ?? given) } : checkedJson('fields', given)
    return isObject(fields) ? fields : { value: fields }
  } catch (error) {
    return { omitted: `fields: ${described(error)}` }
  }
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
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
