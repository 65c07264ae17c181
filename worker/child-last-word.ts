/** What the end of a job is told as: its result, its wish to sleep, or its failure, each within the bounds. */
import { JobError, type JobSnooze, type JobWaits, type Json, type JsonObject } from '../core/job.ts'
import { bounds, isShallow } from './bounds.ts'
import { clip } from './child-run.ts'
import type { FromChild } from './protocol.ts'

/** @throws JobError unserialisable_result, result_too_large */
export function resultOf(run: number, result: unknown): FromChild {
  const text = serialised(result)
  const sizeBytes = Buffer.byteLength(text)
  if (sizeBytes > bounds.result) {
    const message = `The result takes ${sizeBytes} bytes as JSON; ${bounds.result} are allowed.`
    throw new JobError('result_too_large', message, { retry: false })
  }
  const value: Json = JSON.parse(text)
  if (!isShallow(value)) throw unserialisable('is nested too deep')
  return { type: 'result', run, result: value }
}

/**
 * @param code of errors that bring none of their own
 * @param backoff seconds to wait after an error that names none, or undefined
 */
export function endOfThrown(
  run: number,
  thrown: unknown,
  code: string,
  backoff: (error: Error) => number | undefined,
): FromChild {
  const error = thrown instanceof Error ? thrown : new Error(described(thrown))
  // By name, not by class: a job file may have its own copy of the job API.
  if (error.name === 'JobSnooze') return { type: 'snooze', run, seconds: (error as JobSnooze).seconds }
  if (error.name === 'JobWaits') return childrenOf(run, error as JobWaits)
  const known = error.name === 'JobError' ? (error as JobError) : undefined
  return {
    type: 'failure',
    run,
    errorCode: clip(described(known?.code || code), 100),
    message: clip(described(error.message), bounds.failureText),
    stack: thrown === error ? clip(described(error.stack ?? ''), bounds.failureText) : '',
    retry: known?.retry ?? true,
    retryInSeconds: known?.retryInSeconds ?? backoff(error),
    ...detailsOf(known),
  }
}

/** Nothing when there are none, or when they are more than can be kept. */
function detailsOf(error: JobError | undefined): { details?: JsonObject } {
  try {
    const text = JSON.stringify(error?.details ?? {})
    return text === '{}' || Buffer.byteLength(text) > bounds.failureDetails
      ? {}
      : { details: JSON.parse(text) }
  } catch {
    return {}
  }
}

function childrenOf(run: number, { jobs, onFailure }: JobWaits): FromChild {
  const refused = (errorCode: string, message: string): FromChild => ({
    type: 'failure',
    run,
    errorCode,
    message,
    stack: '',
    retry: false,
  })
  let text: string
  try {
    text = JSON.stringify(jobs)
  } catch {
    return refused('invalid_children', 'The children are nothing that JSON can carry.')
  }
  const sizeBytes = Buffer.byteLength(text)
  if (sizeBytes > bounds.children) {
    return refused(
      'children_too_large',
      `The children take ${sizeBytes} bytes as JSON; ${bounds.children} are allowed.`,
    )
  }
  return { type: 'children', run, jobs: JSON.parse(text), onFailure }
}

function serialised(result: unknown): string {
  if (result === undefined) return 'null'
  let text: string | undefined
  try {
    text = JSON.stringify(result)
  } catch (cause) {
    throw unserialisable('is nothing that JSON can carry', cause)
  }
  // A function or a symbol.
  if (text === undefined) throw unserialisable('is nothing that JSON can carry')
  return text
}

function unserialisable(problem: string, cause?: unknown): JobError {
  return new JobError('unserialisable_result', `What the job returned ${problem}.`, { retry: false, cause })
}

/** Anything may be thrown, also what has no text. */
function described(thrown: unknown): string {
  try {
    return String(thrown)
  } catch {
    return `something of type ${typeof thrown}`
  }
}
