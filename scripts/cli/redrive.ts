/** Sends dead letters off again, however many they are. */
import { type Api, bodyOf } from './command.ts'

const perRequest = 100_000

interface Redriven {
  /** Of those that the first request names, 1,000 at most. */
  jobs: { dlqJobId: string; jobId: string }[]
  redriven: number
}

/** Oldest first. @param limit left out: all that match */
export async function redriveMatching(
  api: Api,
  filter: {
    definitionKey?: string | undefined
    errorCode?: string | undefined
    maxAttempts?: number | undefined
  },
  limit = Number.POSITIVE_INFINITY,
): Promise<Redriven> {
  let sum: Redriven | undefined
  for (;;) {
    const wanted = Math.min(perRequest, limit - (sum?.redriven ?? 0))
    const answer = await bodyOf(await api.v1.dlq.redrive.$post({ json: { ...filter, limit: wanted } }))
    sum = { jobs: sum?.jobs ?? answer.jobs, redriven: (sum?.redriven ?? 0) + answer.redriven }
    if (answer.redriven < perRequest || sum.redriven >= limit) return sum
  }
}
