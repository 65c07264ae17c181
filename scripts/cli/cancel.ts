/** Cancels all jobs that match, however many they are. */
import { type Api, bodyOf } from './command.ts'

const perRequest = 1000

/**
 * Oldest first. An answer that names fewer than were asked for is not the last: jobs that end between being found and
 * being cancelled are in none.
 * @param limit left out: all that match
 */
export async function cancelMatching(
  api: Api,
  filter: { definitionKey?: string | undefined; queue?: string | undefined; tags?: string[] | undefined },
  limit = Number.POSITIVE_INFINITY,
): Promise<{ cancelled: string[]; cancelling: string[] }> {
  const sum = { cancelled: [] as string[], cancelling: [] as string[] }
  for (;;) {
    const left = limit - sum.cancelled.length - sum.cancelling.length
    if (left === 0) return sum
    const json = { ...filter, limit: Math.min(perRequest, left) }
    const { cancelled, cancelling } = await bodyOf(await api.v1.jobs.cancel.$post({ json }))
    if (cancelled.length + cancelling.length === 0) return sum
    sum.cancelled.push(...cancelled)
    sum.cancelling.push(...cancelling)
  }
}
