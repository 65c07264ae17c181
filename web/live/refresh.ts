/**
 * Asks again for what is under a key of the cache when something has happened. An answer that is on its way is waited
 * for, never thrown away: with news every second, one that takes longer would never arrive. It may not know of the last
 * news yet, so that is asked for once more behind it.
 */
import type { QueryClient, QueryKey } from '@tanstack/react-query'

/**
 * Of a question that its view alone asks again, when it may: somebody reads or chooses among what it shows, which must
 * not change because the window came to the front, the network came back, or the stream had a gap.
 */
export const askedByItsView = {
  refetchOnWindowFocus: false,
  refetchOnReconnect: false,
  meta: { isAskedByItsView: true },
} as const

/** Of what happened in a gap of the stream nobody tells: anything may be old. */
export async function askAgain(queries: QueryClient): Promise<void> {
  await queries.invalidateQueries({ predicate: ({ meta }) => meta?.isAskedByItsView !== true })
}

export interface Refresh {
  /** The last news always counts. */
  ask(): void
  stop(): void
}

export interface RefreshOptions {
  queries: QueryClient
  key: QueryKey
  /** At most once in so much time. */
  everyMs: number
  /** Looked at right before it is asked; while it does not hold, the news is let go. */
  isWanted?(): boolean
}

export function openRefresh({ queries, key, everyMs, isWanted = () => true }: RefreshOptions): Refresh {
  let timer: ReturnType<typeof setTimeout> | undefined
  let askedAt = Number.NEGATIVE_INFINITY
  let isAsking = false
  let hasNews = false
  let isStopped = false

  function plan(): void {
    if (timer !== undefined || isAsking || isStopped) return
    timer = setTimeout(() => void refetch(), Math.max(0, askedAt + everyMs - Date.now()))
  }

  async function refetch(): Promise<void> {
    timer = undefined
    hasNews = false
    if (!isWanted()) return
    // What others have asked may have been answered before the news: that answer is waited for only.
    hasNews = queries.isFetching({ queryKey: key, type: 'active' }) > 0
    isAsking = true
    askedAt = Date.now()
    await queries.invalidateQueries({ queryKey: key }, { cancelRefetch: false })
    isAsking = false
    if (hasNews) plan()
  }

  return {
    ask: () => {
      hasNews = true
      plan()
    },
    stop: () => {
      isStopped = true
      clearTimeout(timer)
    },
  }
}
