/** What is done to many jobs: to those that are selected, one request each, or to all that match. */
import { ApiProblem, api, messageOf, read } from '../../api.ts'
import type { JobSearch } from '../../router.tsx'
import { filterOf } from './job-pages.ts'

const atOnce = 6
const perRequest = 1000

export interface Outcome {
  done: number
  refused: number
  /** Why the first of them was. */
  reason: string | null
}

export async function cancelJobs(ids: string[]): Promise<Outcome> {
  return await each(ids, (jobId) => read(api.v1.jobs[':jobId'].cancel.$post({ param: { jobId } })))
}

export async function retryJobs(ids: string[]): Promise<Outcome> {
  return await each(ids, (jobId) => read(api.v1.jobs[':jobId'].retry.$post({ param: { jobId } })))
}

/** Goes on until none is left; those that are being stopped count too. */
export async function cancelMatching(search: JobSearch, onProgress: (done: number) => void): Promise<number> {
  const { tag, status, ...filter } = filterOf(search)
  const json = {
    ...filter,
    ...(tag === undefined ? {} : { tags: [tag] }),
    ...(status === 'queued' || status === 'running' ? { status } : {}),
    limit: perRequest,
  }
  let done = 0
  for (;;) {
    const { cancelled, cancelling } = await read(api.v1.jobs.cancel.$post({ json }))
    done += cancelled.length + cancelling.length
    onProgress(done)
    if (cancelled.length + cancelling.length < perRequest) return done
  }
}

async function each(ids: string[], act: (id: string) => Promise<unknown>): Promise<Outcome> {
  const outcome: Outcome = { done: 0, refused: 0, reason: null }
  const waiting = [...ids]
  const worker = async () => {
    for (let id = waiting.shift(); id !== undefined; id = waiting.shift()) {
      try {
        await act(id)
        outcome.done++
      } catch (error) {
        if (error instanceof ApiProblem && error.status === 401) throw error
        outcome.refused++
        outcome.reason ??= messageOf(error)
      }
    }
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  return outcome
}
