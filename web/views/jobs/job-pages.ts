/** The list of jobs: page behind page by cursor, newest first, kept current by what the stream tells. */
import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query'
import { useCallback, useEffect, useEffectEvent, useMemo, useRef, useState } from 'react'
import { api, read } from '../../api.ts'
import type { StreamEvent } from '../../live/event-stream.ts'
import { useLiveEvents, useLiveGaps } from '../../live/live.ts'
import { askedByItsView } from '../../live/refresh.ts'
import type { JobSearch } from '../../router.tsx'
import type { JobSummary } from '../../types.ts'
import { beginOf, filterOf } from './job-filter.ts'
import { type LivePages, openLivePages, type Page, type PagePlace, refreshMs } from './live-pages.ts'

/** Of the first page. Each further one is larger: who scrolls on is going to. */
const pageSize = 100
const largestPageSize = 500
/** Of a search for what is rare, one request looks at so many jobs; the next goes on behind them. */
const lookAt = '5000'

/** @param isHeld somebody reads or chooses among the rows: they must stay where they are */
export function useJobPages(search: JobSearch, isHeld: boolean) {
  const queries = useQueryClient()
  const key = useMemo(() => ['jobs', search] as const, [search])
  const [hasNew, setHasNew] = useState(false)
  const live = useRef<LivePages>(null)

  const pages = useInfiniteQuery({
    queryKey: key,
    queryFn: async ({ pageParam, signal }): Promise<Page> => {
      const { size, cursor } = pageParam
      // Of the first page at each time that it is asked for; the others go by it.
      const queuedAfter = cursor === undefined ? beginOf(search) : pageParam.queuedAfter
      const place = cursor === undefined ? {} : { cursor }
      const query = {
        ...filterOf(search, queuedAfter),
        ...place,
        ...{ limit: String(size), total: 'false' as const, lookAt },
      }
      return { ...(await read(api.v1.jobs.$get({ query }, { init: { signal } }))), queuedAfter }
    },
    initialPageParam: { size: pageSize } as PagePlace,
    getNextPageParam: ({ nextCursor, queuedAfter }, _pages, { size }): PagePlace | null =>
      nextCursor === null
        ? null
        : { cursor: nextCursor, size: Math.min(size * 2, largestPageSize), queuedAfter },
    staleTime: refreshMs,
    ...askedByItsView,
  })

  const isHeldNow = useEffectEvent(() => isHeld)
  useEffect(() => {
    setHasNew(false)
    const opened = openLivePages({ queries, key, search, isHeld: () => isHeldNow(), onNew: setHasNew })
    live.current = opened
    return () => opened.stop()
  }, [queries, key, search])
  useEffect(() => {
    if (!isHeld) live.current?.release()
  }, [isHeld])
  useLiveEvents(useCallback((events: StreamEvent[]) => live.current?.note(events), []))
  useLiveGaps(useCallback(() => live.current?.gap(), []))

  const jobs = useMemo(() => pages.data?.pages.flatMap((page) => page.jobs) ?? noJobs, [pages.data])
  const showNewest = useCallback(() => void live.current?.showNewest(), [])
  return { pages, jobs, hasNew, showNewest }
}

const noJobs: JobSummary[] = []
