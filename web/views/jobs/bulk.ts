/** What is done to many jobs: to those that are selected, one request each, or to all that match. */
import { ApiProblem, api, messageOf, read } from '../../api.ts'
import type { JobSearch } from '../../router.tsx'
import { serverNow } from '../../server-clock.ts'
import { filterOf } from './job-filter.ts'

const atOnce = 6
const perRequest = 1000
/** Where the answer names none, though ours does. */
const usualWaitSeconds = 1
/** Of our own limit it is a second or two; who is to wait longer is told so instead. */
const longestWaitSeconds = 60

export interface Outcome {
  done: number
  /** Their ids. */
  refused: string[]
  /** Why the first of them was. */
  reason: string | null
}

export async function cancelJobs(ids: string[]): Promise<Outcome> {
  return await each(ids, (jobId) => read(api.v1.jobs[':jobId'].cancel.$post({ param: { jobId } })))
}

export async function retryJobs(ids: string[]): Promise<Outcome> {
  return await each(ids, (jobId) => read(api.v1.jobs[':jobId'].retry.$post({ param: { jobId } })))
}

export interface MatchingOutcome {
  cancelled: number
  /** Why it ended before all were; null: they are. */
  problem: unknown
}

/**
 * Goes on until none is left of those that were queued before; those that are being stopped count too. An answer that
 * names fewer than were asked for is not the last: jobs that end between being found and being cancelled are in none.
 * @param onProgress is told how many are cancelled so far
 */
export async function cancelMatching(
  search: JobSearch,
  onProgress: (cancelled: number) => void = () => {},
): Promise<MatchingOutcome> {
  const { tag, status, ...filter } = filterOf(search)
  const json = {
    ...filter,
    ...(tag === undefined ? {} : { tags: [tag] }),
    ...(status === 'queued' || status === 'running' ? { status } : {}),
  }
  // The time alone would mean all jobs there are.
  if (Object.keys(json).length === 0) throw new Error('nothing says which jobs are meant')
  // Or it would have no end while new ones come in.
  const queuedBefore = new Date(serverNow()).toISOString()
  const ask = () => read(api.v1.jobs.cancel.$post({ json: { ...json, queuedBefore, limit: perRequest } }))
  let done = 0
  try {
    for (;;) {
      const { cancelled, cancelling } = await patiently(ask)
      if (cancelled.length + cancelling.length === 0) return { cancelled: done, problem: null }
      done += cancelled.length + cancelling.length
      onProgress(done)
    }
  } catch (problem) {
    return { cancelled: done, problem }
  }
}

async function each(ids: string[], act: (id: string) => Promise<unknown>): Promise<Outcome> {
  const outcome: Outcome = { done: 0, refused: [], reason: null }
  // One for all workers: each takes what the others have left.
  const waiting = ids.values()
  const worker = async () => {
    for (const id of waiting) {
      try {
        await patiently(() => act(id))
        outcome.done++
      } catch (error) {
        if (error instanceof ApiProblem && error.status === 401) throw error
        outcome.refused.push(id)
        outcome.reason ??= messageOf(error)
      }
    }
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  return outcome
}

/** Waits and asks again for as long as there are too many requests: the limit counts all of this key, not only these. */
async function patiently<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      if (!(error instanceof ApiProblem) || error.status !== 429) throw error
      const seconds = error.retryAfterSeconds ?? usualWaitSeconds
      if (seconds > longestWaitSeconds) throw error
      await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
    }
  }
}
