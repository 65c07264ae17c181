/**
 * Keeps loaded pages of jobs current. What happens to jobs that are loaded is written into them; jobs that are new are
 * fetched while only the first page is there, and announced where that would move rows under somebody's hand or eyes.
 */
import type { InfiniteData, QueryClient } from '@tanstack/react-query'
import type { StreamEvent } from '../../live/event-stream.ts'
import { openRefresh } from '../../live/refresh.ts'
import type { JobSearch } from '../../router.tsx'
import type { JobPage, JobStatus, JobSummary } from '../../types.ts'

export const refreshMs = 1000

/** Without a cursor: the first. */
export interface PagePlace {
  cursor?: string
  size: number
  /** Of all pages of a list, as it was when the first was asked for. */
  queuedAfter?: string | undefined
}

export type Page = JobPage & { queuedAfter?: string | undefined }
type Pages = InfiniteData<Page, PagePlace>

export interface LivePagesOptions {
  queries: QueryClient
  key: readonly unknown[]
  search: JobSearch
  /** Somebody reads or chooses among the rows: they must stay where they are. */
  isHeld(): boolean
  /** There are jobs, or there may be, that the list has not; false: it has all again. */
  onNew(hasNew: boolean): void
}

export interface LivePages {
  note(events: StreamEvent[]): void
  /** The stream is back, and what happened meanwhile is not known. */
  gap(): void
  /** The rows are held no more. */
  release(): void
  /** Reads the first page alone, held or not. */
  showNewest(): Promise<void>
  stop(): void
}

export function openLivePages({ queries, key, search, isHeld, onNew }: LivePagesOptions): LivePages {
  /** Came while an answer was on its way, which may overwrite them and not know of them. */
  let late = new Map<string, Change>()
  /** The list is not as a new answer would have it. */
  let isBehind = false
  let hasNew = false
  const pages = () => queries.getQueryData<Pages>(key)
  const isFetching = () => queries.isFetching({ queryKey: key, exact: true }) > 0
  const refresh = openRefresh({
    queries,
    key,
    everyMs: refreshMs,
    isWanted: () => {
      if (!mayMove()) {
        if (hasNew) onNew(true)
        return false
      }
      catchUp()
      return true
    },
  })
  const leave = queries.getQueryCache().subscribe(({ type, query }) => {
    if (type !== 'updated' || late.size === 0 || query.state.fetchStatus !== 'idle') return
    if (query !== queries.getQueryCache().find({ queryKey: key, exact: true })) return
    const changes = late
    late = new Map()
    write(changes)
  })

  /** Of further pages none is fetched again: somebody has gone there to read. */
  function mayMove(): boolean {
    return !isHeld() && (pages()?.pages.length ?? 0) <= 1
  }

  function catchUp(): void {
    isBehind = false
    hasNew = false
    onNew(false)
  }

  function write(changes: Map<string, Change>): void {
    const known = pages()
    if (known === undefined) return
    const patched = patch(known, changes)
    if (patched !== known) queries.setQueryData<Pages>(key, patched)
  }

  return {
    note: (events) => {
      const changes = changesOf(events)
      const known = pages()
      if (changes.size === 0) return
      if (isFetching()) for (const [jobId, change] of changes) late.set(jobId, change)
      // That it could not be read is shown, with a button for another try.
      else if (known === undefined) return
      write(changes)
      isBehind = true
      hasNew ||= known !== undefined && events.some((event) => isNew(event, known, search))
      if (mayMove()) refresh.ask()
      else if (hasNew) onNew(true)
    },
    gap: () => {
      isBehind = true
      hasNew = true
      if (mayMove()) refresh.ask()
      else onNew(true)
    },
    release: () => {
      if (isBehind && mayMove()) refresh.ask()
    },
    showNewest: async () => {
      catchUp()
      await queries.resetQueries({ queryKey: key })
    },
    stop: () => {
      leave()
      refresh.stop()
    },
  }
}

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

interface Change {
  status: JobStatus
  at: string
}

/** The last that happened to each job; what says nothing about its status is left out. */
function changesOf(events: StreamEvent[]): Map<string, Change> {
  const changes = new Map<string, Change>()
  for (const { jobId, eventType, at } of events) {
    const status = statusOf(eventType)
    if (status !== undefined) changes.set(jobId, { status, at })
  }
  return changes
}

function statusOf(eventType: string): JobStatus | undefined {
  return Object.hasOwn(statusAfter, eventType) ? statusAfter[eventType] : undefined
}

/** By it a job may have come to be among those that match. What an event does not tell of may be as it is asked for. */
function isNew(
  { jobId, eventType, definitionKey, queue }: StreamEvent,
  known: Pages,
  search: JobSearch,
): boolean {
  if (search.definition !== undefined && definitionKey !== search.definition) return false
  if (search.queue !== undefined && queue !== search.queue) return false
  if (!bringsIn(eventType, search)) return false
  return !known.pages.some(({ jobs }) => jobs.some((job) => job.jobId === jobId))
}

function bringsIn(eventType: string, { status, worker, error }: JobSearch): boolean {
  if (status !== undefined) return statusOf(eventType) === status
  if (error !== undefined) return eventType === 'failed' || eventType === 'retry_scheduled'
  return eventType === (worker === undefined ? 'queued' : 'started')
}

function patch(known: Pages, changes: Map<string, Change>): Pages {
  const touched = (page: Page) => page.jobs.some(({ jobId }) => changes.has(jobId))
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
