/** Which jobs an address means, as the API's query has it. */
import type { JobSearch } from '../../router.tsx'
import { serverNow } from '../../server-clock.ts'

export const spans: Record<string, { name: string; seconds: number }> = {
  '15m': { name: 'last 15 minutes', seconds: 900 },
  '1h': { name: 'last hour', seconds: 3600 },
  '24h': { name: 'last 24 hours', seconds: 86_400 },
  '7d': { name: 'last 7 days', seconds: 604_800 },
}

/** @param queuedAfter what all pages of one list must agree in; left out: as it is now */
export function filterOf(search: JobSearch, queuedAfter = beginOf(search)) {
  const { status, definition, queue, tag, worker, error } = search
  return withoutUndefined({
    status,
    definitionKey: definition,
    queue,
    tag,
    workerId: worker,
    error,
    queuedAfter,
  })
}

/** Not all jobs are meant. Other words in the address are none. */
export function isFilter(search: JobSearch): boolean {
  return Object.keys(filterOf(search)).length > 0
}

/** Where the span of time begins that is asked for. */
export function beginOf({ since }: JobSearch): string | undefined {
  const span = since !== undefined && Object.hasOwn(spans, since) ? spans[since] : undefined
  return span === undefined ? undefined : new Date(serverNow() - span.seconds * 1000).toISOString()
}

function withoutUndefined<Values extends object>(values: Values): Values {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Values
}
