import {
  focusManager,
  InfiniteQueryObserver,
  onlineManager,
  QueryClient,
  QueryObserver,
} from '@tanstack/react-query'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { StreamEvent } from '../../../web/live/event-stream.ts'
import { askAgain, askedByItsView } from '../../../web/live/refresh.ts'
import type { JobSearch } from '../../../web/router.tsx'
import type { JobStatus, JobSummary } from '../../../web/types.ts'
import {
  type LivePages,
  openLivePages,
  type Page,
  type PagePlace,
} from '../../../web/views/jobs/live-pages.ts'

const key = ['jobs', {}]
const answerMs = 300
/** Of the server, the newest first. */
let stored: JobSummary[] = []
let asked = 0
let othersAsked = 0
let isHeld = false
let news: boolean[] = []
let queries: QueryClient
let observer: InfiniteQueryObserver<Page>
let live: LivePages
let leave = () => {}

beforeEach(async () => {
  vi.useFakeTimers()
  ;[asked, othersAsked, isHeld, news] = [0, 0, false, []]
  stored = ['d', 'c', 'b', 'a'].map((jobId) => job(jobId))
  queries = new QueryClient({ defaultOptions: { queries: { networkMode: 'always' } } })
  observer = new InfiniteQueryObserver<Page>(queries, {
    queryKey: key,
    queryFn: async ({ pageParam }) => {
      asked++
      const from = Number((pageParam as PagePlace).cursor ?? 0)
      const page = { jobs: stored.slice(from, from + 2), nextCursor: String(from + 2) }
      await new Promise((resolve) => setTimeout(resolve, answerMs))
      return page as Page
    },
    initialPageParam: { size: 2 },
    getNextPageParam: ({ nextCursor }) => ({ cursor: nextCursor, size: 2 }),
    ...askedByItsView,
  })
  queries.mount()
  leave = observer.subscribe(() => {})
  await vi.advanceTimersByTimeAsync(answerMs)
  follow()
})
afterEach(() => {
  live.stop()
  leave()
  queries.unmount()
  queries.clear()
  vi.useRealTimers()
})

function follow(search: JobSearch = {}): void {
  live?.stop()
  live = openLivePages({
    ...{ queries, key, search },
    isHeld: () => isHeld,
    onNew: (hasNew) => {
      if (news.at(-1) !== hasNew) news.push(hasNew)
    },
  })
}

function job(jobId: string, status: JobStatus = 'queued'): JobSummary {
  return { jobId, status, finishedAt: null, startedAt: null, scheduledAt: null } as JobSummary
}

function happens(eventType: string, jobId: string, about: Partial<StreamEvent> = {}): void {
  const at = '2030-01-01T00:00:00Z'
  live.note([{ id: jobId, jobId, eventType, at, payload: {}, ...about }])
}

const shown = () =>
  observer
    .getCurrentResult()
    .data?.pages.flatMap(({ jobs }) => jobs.map(({ jobId, status }) => `${jobId} ${status}`))

/** @param status as the server has it from now on */
function becomes(status: JobStatus, jobId: string): void {
  stored = stored.map((each) => (each.jobId === jobId ? job(jobId, status) : each))
}

test('what happens to a job while a further page loads stays when that page has come', async () => {
  void observer.fetchNextPage()
  await vi.advanceTimersByTimeAsync(answerMs / 2)
  becomes('running', 'd')
  happens('started', 'd')
  await vi.advanceTimersByTimeAsync(answerMs)
  expect(shown()).toEqual(['d running', 'c queued', 'b queued', 'a queued'])
})

test('what happens while the first page is read again stays, too', async () => {
  void observer.refetch()
  await vi.advanceTimersByTimeAsync(answerMs / 2)
  happens('started', 'd')
  await vi.advanceTimersByTimeAsync(answerMs / 2)
  expect(shown()).toEqual(['d running', 'c queued'])
})

test('new jobs come in by themselves while nobody reads', async () => {
  stored = [job('e'), ...stored]
  happens('queued', 'e')
  await vi.advanceTimersByTimeAsync(2 * answerMs)
  expect(shown()).toEqual(['e queued', 'd queued'])
})

test('rows that are held stay where they are; new jobs are announced, and come when the rows are let go', async () => {
  isHeld = true
  stored = [job('e'), ...stored]
  happens('queued', 'e')
  happens('started', 'c')
  await vi.advanceTimersByTimeAsync(60_000)
  expect(shown()).toEqual(['d queued', 'c running'])
  expect(news).toEqual([true])
  isHeld = false
  live.release()
  await vi.advanceTimersByTimeAsync(2 * answerMs)
  expect(shown()).toEqual(['e queued', 'd queued'])
  expect(news.at(-1)).toBe(false)
})

test('rows that are held stay over a gap of the stream, and are read again when they are let go', async () => {
  isHeld = true
  stored = [job('e'), ...stored]
  void askAgain(queries)
  live.gap()
  await vi.advanceTimersByTimeAsync(60_000)
  expect(shown()).toEqual(['d queued', 'c queued'])
  expect(news).toEqual([true])
  isHeld = false
  live.release()
  await vi.advanceTimersByTimeAsync(2 * answerMs)
  expect(shown()).toEqual(['e queued', 'd queued'])
  expect(news.at(-1)).toBe(false)
})

test('after a gap of the stream a list that nobody holds is read again', async () => {
  stored = [job('e'), ...stored]
  void askAgain(queries)
  live.gap()
  await vi.advanceTimersByTimeAsync(2 * answerMs)
  expect(shown()).toEqual(['e queued', 'd queued'])
  expect(asked).toBe(2)
})

test('after a gap of the stream further pages stay, and that there may be new jobs is announced', async () => {
  void observer.fetchNextPage()
  await vi.advanceTimersByTimeAsync(answerMs)
  const before = asked
  live.gap()
  await vi.advanceTimersByTimeAsync(60_000)
  expect([asked, news]).toEqual([before, [true]])
})

test('the rows stay when the window comes to the front, or the network comes back', async () => {
  stored = [job('e'), ...stored]
  const other = new QueryObserver(queries, { queryKey: ['other'], queryFn: () => ++othersAsked })
  const leaveOther = other.subscribe(() => {})
  for (const isThere of [false, true]) {
    focusManager.setFocused(isThere)
    onlineManager.setOnline(isThere)
    await vi.advanceTimersByTimeAsync(60_000)
  }
  focusManager.setFocused(undefined)
  leaveOther()
  expect(othersAsked).toBeGreaterThan(1)
  expect(shown()).toEqual(['d queued', 'c queued'])
})

test('who asks for the newest has them, and no word of new ones is left', async () => {
  isHeld = true
  stored = [job('e'), ...stored]
  happens('queued', 'e')
  void live.showNewest()
  await vi.advanceTimersByTimeAsync(2 * answerMs)
  expect(shown()).toEqual(['e queued', 'd queued'])
  happens('started', 'e')
  expect(news).toEqual([true, false])
})

test('rows that are taken hold of before they are asked for again stay, too', async () => {
  becomes('running', 'd')
  happens('started', 'd')
  await vi.advanceTimersByTimeAsync(2 * answerMs)
  const before = asked
  stored = [job('e'), ...stored]
  happens('queued', 'e')
  isHeld = true
  await vi.advanceTimersByTimeAsync(60_000)
  expect(asked).toBe(before)
  expect(shown()).toEqual(['d running', 'c queued'])
  expect(news).toEqual([false, true])
})

test.each<[JobSearch, string, Partial<StreamEvent>, boolean]>([
  [{ definition: 'echo' }, 'queued', { definitionKey: 'echo' }, true],
  [{ definition: 'echo' }, 'queued', { definitionKey: 'other' }, false],
  [{ queue: 'a' }, 'queued', { queue: 'b' }, false],
  [{ status: 'failed' }, 'queued', {}, false],
  [{ status: 'failed' }, 'failed', {}, true],
  [{ error: 'memory' }, 'queued', {}, false],
  [{}, 'started', {}, false],
  [{}, 'queued', {}, true],
])('of the jobs %o, “%s” of one with %o may bring a new one: %s', (search, eventType, about, isAnnounced) => {
  isHeld = true
  follow(search)
  happens(eventType, 'z', about)
  expect(news).toEqual(isAnnounced ? [true] : [])
})

test('a job that is in the list is no new one', () => {
  isHeld = true
  happens('queued', 'd')
  expect(news).toEqual([])
})
