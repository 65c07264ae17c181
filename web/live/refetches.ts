/**
 * Whether what is shown is kept current. The stream may be there while the database is not: the numbers of before stay
 * on the page then, and nothing about them tells that they could not be read again.
 */
import { QueryCache, type QueryClient, useQueryClient } from '@tanstack/react-query'
import { useCallback, useSyncExternalStore } from 'react'
import { ApiProblem } from '../api.ts'

const failing = new WeakSet<object>()
const listeners = new Set<() => void>()

/** Notes of each question whether it could be answered the last time. */
export function createQueryCache(): QueryCache {
  return new QueryCache({
    onError: (error, query) => {
      if (isServerTrouble(error)) {
        failing.add(query)
        announce()
      } else if (failing.delete(query)) announce()
    },
    onSuccess: (_data, query) => {
      if (failing.delete(query)) announce()
    },
  })
}

/** Something that is shown could not be read again, for reasons that may pass. */
export function useStaleness(): boolean {
  const queries = useQueryClient()
  const subscribe = useCallback((listener: () => void) => watchStaleness(queries, listener), [queries])
  return useSyncExternalStore(subscribe, () => isStale(queries))
}

/** @returns ends it */
export function watchStaleness(queries: QueryClient, listener: () => void): () => void {
  listeners.add(listener)
  // What failed may be shown no more.
  const leave = queries.getQueryCache().subscribe(listener)
  return () => {
    listeners.delete(listener)
    leave()
  }
}

/** What could not be read the first time says so in its own place. */
export function isStale(queries: QueryClient): boolean {
  return queries
    .getQueryCache()
    .findAll({ type: 'active' })
    .some((query) => failing.has(query) && query.state.data !== undefined)
}

function announce(): void {
  for (const listener of listeners) listener()
}

/** What the API refuses is not old: it is not there, or not for this key. */
function isServerTrouble(error: unknown): boolean {
  if (!(error instanceof ApiProblem) || error.status === null) return true
  return error.status >= 500 || error.status === 429
}
