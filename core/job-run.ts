/** How a job is run, and what is made of its end: the same in a worker's process and in `runJob`. */
import {
  type ChildEnd,
  type ChildJob,
  type JobContext,
  type JobDefinition,
  JobError,
  type JobLog,
  type JobSnooze,
  type JobWaits,
  type Json,
  type JsonObject,
} from './job.ts'
import { carried, clip, jobBounds } from './job-bounds.ts'
import { checkedSeconds, described } from './job-context.ts'
import { isJsonObject } from './json.ts'

/**
 * @param given the parameters as the queue has them
 * @param children how they ended that the job has waited for: `onChildren` is run instead of `run`
 * @throws what the job throws; JobError invalid_params, no_on_children, unserialisable_result, result_too_large
 */
export async function runDefinition(
  definition: JobDefinition,
  given: unknown,
  context: JobContext,
  children: ChildEnd[] | null,
): Promise<Json> {
  const params = parseParams(definition, given)
  if (children === null) return resultOf(await definition.run(params, context))
  if (definition.onChildren !== undefined)
    return resultOf(await definition.onChildren(params, context, children))
  const text = 'The job waited for children, but its definition has no onChildren to go on in.'
  throw new JobError('no_on_children', text, { retry: false })
}

function parseParams(definition: JobDefinition, given: unknown): unknown {
  const params = definition.params.safeParse(given)
  if (params.success) return params.data
  const problems = params.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ')
  const message = `The parameters are not what the definition takes: ${problems}`
  throw new JobError('invalid_params', message, { retry: false })
}

/** What JSON makes of it. */
function resultOf(result: unknown): Json {
  const came = carried(result ?? null, jobBounds.result)
  switch (came.kind) {
    case 'carried':
      return came.json
    case 'too_deep':
      throw unserialisable('is nested too deep')
    case 'too_large': {
      const message = `The result takes ${came.sizeBytes} bytes as JSON; ${jobBounds.result} are allowed.`
      throw new JobError('result_too_large', message, { retry: false })
    }
    case 'no_json':
      throw unserialisable('is nothing that JSON can carry', came.thrown)
  }
}

function unserialisable(problem: string, cause?: unknown): JobError {
  return new JobError('unserialisable_result', `What the job returned ${problem}.`, { retry: false, cause })
}

/** What a job that threw has come to. */
export type Thrown =
  | { kind: 'snoozed'; seconds: number }
  | { kind: 'waits'; children: ChildJob[]; onFailure: 'fail' | 'continue' }
  | {
      kind: 'failed'
      errorCode: string
      message: string
      stack: string
      retry: boolean
      /** Undefined: as the definition's figures for its backoff say. */
      retryInSeconds: number | undefined
      details: JsonObject
    }

export interface ThrownIn {
  definition: JobDefinition | undefined
  attempt: number
  /** Whether the definition's own backoff function is asked; not when the job came with figures of its own. */
  asksBackoff: boolean
  log: JobLog
}

/**
 * Anything may be thrown, and job files in JavaScript may put anything into our own errors; never throws.
 * @param code of errors that bring none of their own
 */
export function whatWasThrown(thrown: unknown, code: string, where: ThrownIn): Thrown {
  const error = thrown instanceof Error ? thrown : new Error(described(thrown))
  const stack = thrown === error ? clip(described(error.stack ?? ''), jobBounds.failureText) : ''
  const failed = (errorCode: string, message: string, more: Partial<Thrown & { kind: 'failed' }> = {}) =>
    ({
      kind: 'failed',
      errorCode: clip(errorCode, 100),
      message: clip(message, jobBounds.failureText),
      stack,
      retry: true,
      retryInSeconds: undefined,
      details: {},
      ...more,
    }) as const
  // By name, not by class: a job file may have its own copy of the job API.
  switch (error.name) {
    case 'JobSnooze': {
      const seconds = secondsOf((error as JobSnooze).seconds)
      return typeof seconds === 'number' ? { kind: 'snoozed', seconds } : failed(code, seconds.refused)
    }
    case 'JobWaits': {
      const waits = childrenOf(error as JobWaits)
      return 'kind' in waits ? waits : failed(waits.code, waits.message, { stack: '', retry: false })
    }
    case 'JobError': {
      const { code: own, message, retry, retryInSeconds, details } = error as JobError
      const asked = retryInSeconds === undefined ? undefined : secondsOf(retryInSeconds)
      if (typeof asked === 'object') where.log.warn(`the time of the next attempt: ${asked.refused}`)
      return failed(described(own || code), described(message), {
        retry: retry !== false,
        retryInSeconds: typeof asked === 'number' ? asked : ownBackoff(error, where),
        details: detailsOf(details),
      })
    }
    default:
      return failed(code, described(error.message), { retryInSeconds: ownBackoff(error, where) })
  }
}

function secondsOf(value: number): number | { refused: string } {
  try {
    return checkedSeconds(value)
  } catch (error) {
    return { refused: described(error) }
  }
}

/** What the definition's own function says; undefined when it has none, or nothing sensible to say. */
function ownBackoff(error: Error, { definition, attempt, asksBackoff, log }: ThrownIn): number | undefined {
  const backoff = definition?.backoff
  if (typeof backoff !== 'function' || !asksBackoff) return undefined
  try {
    return checkedSeconds(backoff(attempt, error))
  } catch (problem) {
    log.warn(`the backoff function failed: ${described(problem)}`)
    return undefined
  }
}

/** Nothing when there are none, or when they are more than can be kept. */
function detailsOf(details: unknown): JsonObject {
  const came = carried(details ?? {}, jobBounds.failureDetails)
  return came.kind === 'carried' && isJsonObject(came.json) ? came.json : {}
}

type Waits = Extract<Thrown, { kind: 'waits' }>

function childrenOf({ jobs, onFailure }: JobWaits): Waits | { code: string; message: string } {
  const invalid = (message: string) => ({ code: 'invalid_children', message })
  const came = carried(jobs, jobBounds.children)
  if (came.kind === 'no_json' && 'thrown' in came)
    return invalid('The children are nothing that JSON can carry.')
  if (came.kind === 'too_large') {
    const message = `The children take ${came.sizeBytes} bytes as JSON; ${jobBounds.children} are allowed.`
    return { code: 'children_too_large', message }
  }
  const children: unknown = came.kind === 'no_json' ? undefined : came.json
  if (!Array.isArray(children)) return invalid('The children are no list of jobs.')
  if (came.kind === 'too_deep') return invalid('The children are nested too deep.')
  if (onFailure !== 'fail' && onFailure !== 'continue')
    return invalid(`onFailure is 'fail' or 'continue', not ${described(onFailure)}.`)
  return { kind: 'waits', children, onFailure }
}
