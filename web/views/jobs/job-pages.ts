/**
 * The list of jobs: page behind page by cursor, newest first. What happens to jobs that are loaded is written into them;
 * jobs that are new are fetched while only the first page is there, and announced when somebody has read on.
 */
import { type InfiniteData, useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query'
import { useCallback, useEffect, useMemo, useRef, useState } from 'react'
import { api, read } from '../../api.ts'
import type { StreamEvent } from '../../live/event-stream.ts'
import { useLiveEvents } from '../../live/live.ts'
import type { JobSearch } from '../../router.tsx'
import type { JobPage, JobStatus, JobSummary } from '../../types.ts'

/** Of the first page. Each further one is larger: who scrolls on is going to. */
const pageSize = 100
const largestPageSize = 500
const refreshMs = 1000
/** Of a search for what is rare, one request looks at so many jobs; the next goes on behind them. */
const lookAt = '5000'
const countedAtMost = '10000'

const statusAfter: Record<string, JobStatus> = {
  queued: 'queued',
  retry_scheduled: 'queued',
  snoozed: 'queued',
  interrupted: 'queued',
  waiting: 'queued',
  started: 'running',
  cancelling: 'cancelling',
  succeeded: 'succeeded',
  failed: 'failed',
  cancelled: 'cancelled',
}

export function useJobPages(search: JobSearch) {
  const queries = useQueryClient()
  const key = useMemo(() => ['jobs', search] as const, [search])
  const filter = useMemo(() => filterOf(search), [search])
  const [hasNew, setHasNew] = useState(false)
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined)

  const pages = useInfiniteQuery({
    queryKey: key,
    queryFn: ({ pageParam, signal }) => {
      const { size, ...cursor } = pageParam
      const query = { ...filter, ...cursor, limit: String(size), total: 'false' as const, lookAt }
      return read(api.v1.jobs.$get({ query }, { init: { signal } }))
    },
    initialPageParam: { size: pageSize } as PagePlace,
    getNextPageParam: ({ nextCursor }, _pages, { size }): PagePlace | null =>
      nextCursor === null ? null : { cursor: nextCursor, size: Math.min(size * 2, largestPageSize) },
    staleTime: refreshMs,
  })
  // Counting reads what it counts, so it is asked apart, not often, and not of all of millions.
  const total = useQuery({
    queryKey: ['jobs-total', search],
    queryFn: async () => {
      const query = { ...filter, limit: '1', total: 'true' as const, lookAt: countedAtMost }
      const answer = await read(api.v1.jobs.$get({ query }))
      return { count: answer.total ?? 0, isWhole: answer.isTotalWhole ?? true }
    },
    staleTime: 10_000,
    refetchInterval: 30_000,
  })

  const onEvents = useCallback(
    (events: StreamEvent[]) => {
      const changes = changesOf(events)
      if (changes.size === 0) return
      const known = queries.getQueryData<Pages>(key)
      if (known === undefined) return
      const patched = patch(known, changes)
      if (patched !== known) queries.setQueryData(key, patched)
      if (known.pages.length > 1) {
        if (events.some(({ eventType }) => eventType === 'queued')) setHasNew(true)
        return
      }
      timer.current ??= setTimeout(() => {
        timer.current = undefined
        void queries.invalidateQueries({ queryKey: key })
      }, refreshMs)
    },
    [queries, key],
  )
  useLiveEvents(onEvents)
  // biome-ignore lint/correctness/useExhaustiveDependencies: another list has other news
  useEffect(() => {
    setHasNew(false)
    return () => {
      clearTimeout(timer.current)
      timer.current = undefined
    }
  }, [key])

  const jobs = useMemo(() => pages.data?.pages.flatMap((page) => page.jobs) ?? noJobs, [pages.data])
  const showNewest = useCallback(async () => {
    setHasNew(false)
    await queries.resetQueries({ queryKey: key })
  }, [queries, key])
  return { pages, jobs, total: total.data, hasNew, showNewest }
}

const noJobs: JobSummary[] = []

/** Without a cursor: the first. */
interface PagePlace {
  cursor?: string
  size: number
}

type Pages = InfiniteData<JobPage, PagePlace>

interface Change {
  status: JobStatus
  at: string
}

/** The last that happened to each job; what says nothing about its status is left out. */
function changesOf(events: StreamEvent[]): Map<string, Change> {
  const changes = new Map<string, Change>()
  for (const { jobId, eventType, at } of events) {
    const status = Object.hasOwn(statusAfter, eventType) ? statusAfter[eventType] : undefined
    if (status !== undefined) changes.set(jobId, { status, at })
  }
  return changes
}

function patch(known: Pages, changes: Map<string, Change>): Pages {
  const touched = (page: JobPage) => page.jobs.some(({ jobId }) => changes.has(jobId))
  if (!known.pages.some(touched)) return known
  return {
    ...known,
    pages: known.pages.map((page) =>
      touched(page) ? { ...page, jobs: page.jobs.map((job) => changed(job, changes.get(job.jobId))) } : page,
    ),
  }
}

function changed(job: JobSummary, change: Change | undefined): JobSummary {
  if (change === undefined || job.finishedAt !== null) return job
  const { status, at } = change
  if (status === 'running') return { ...job, status, startedAt: at, scheduledAt: null }
  const isFinal = status === 'succeeded' || status === 'failed' || status === 'cancelled'
  return { ...job, status, ...(isFinal ? { finishedAt: at } : {}) }
}

/** As the API's query has it. */
export function filterOf(search: JobSearch) {
  const { status, definition, queue, tag, worker, error, since } = search
  const queuedAfter = since === undefined ? undefined : timeBefore(since)
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

export const spans: Record<string, { name: string; seconds: number }> = {
  '15m': { name: 'last 15 minutes', seconds: 900 },
  '1h': { name: 'last hour', seconds: 3600 },
  '24h': { name: 'last 24 hours', seconds: 86_400 },
  '7d': { name: 'last 7 days', seconds: 604_800 },
}

function timeBefore(since: string): string | undefined {
  const span = Object.hasOwn(spans, since) ? spans[since] : undefined
  return span === undefined ? undefined : new Date(Date.now() - span.seconds * 1000).toISOString()
}

function withoutUndefined<Values extends object>(values: Values): Values {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Values
}
