import { QueryClient, QueryObserver } from '@tanstack/react-query'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { openRefresh, type Refresh } from '../../../web/live/refresh.ts'

const key = ['numbers']
const everyMs = 1000

let queries: QueryClient
let refresh: Refresh
let answerMs = 0
/** When each question was asked, and whether it was thrown away. */
let asked: { atMs: number; signal: AbortSignal }[] = []
let isWanted = true
let leave = () => {}

beforeEach(async () => {
  vi.useFakeTimers()
  const begin = Date.now()
  ;[asked, answerMs, isWanted] = [[], 0, true]
  queries = new QueryClient()
  const observer = new QueryObserver(queries, {
    queryKey: key,
    queryFn: async ({ signal }) => {
      asked.push({ atMs: Date.now() - begin, signal })
      await new Promise((resolve) => setTimeout(resolve, answerMs))
      return asked.length
    },
  })
  leave = observer.subscribe(() => {})
  await vi.advanceTimersByTimeAsync(1)
  asked = []
  refresh = openRefresh({ queries, key, everyMs, isWanted: () => isWanted })
})
afterEach(() => {
  refresh.stop()
  leave()
  queries.clear()
  vi.useRealTimers()
})

async function newsFor(ms: number, eachMs = 100): Promise<void> {
  for (let passed = 0; passed < ms; passed += eachMs) {
    refresh.ask()
    await vi.advanceTimersByTimeAsync(eachMs)
  }
}

test('while there is news it is asked once in the time, and once more for the last', async () => {
  await newsFor(3000)
  await vi.advanceTimersByTimeAsync(60_000)
  expect(asked.length).toBeGreaterThanOrEqual(3)
  expect(asked.length).toBeLessThanOrEqual(4)
})

test('an answer that takes longer than the news needs to come is waited for', async () => {
  answerMs = 2500
  await newsFor(10_000)
  expect(queries.getQueryData(key)).toBeGreaterThanOrEqual(3)
  expect(asked.some(({ signal }) => signal.aborted)).toBe(false)
  await vi.advanceTimersByTimeAsync(60_000)
  expect(asked).toHaveLength(5)
})

test('an answer that others have asked for is waited for, and asked for once more behind it', async () => {
  answerMs = 2500
  void queries.refetchQueries({ queryKey: key })
  await vi.advanceTimersByTimeAsync(1000)
  refresh.ask()
  await vi.advanceTimersByTimeAsync(60_000)
  expect(asked).toHaveLength(2)
  expect(asked[0]?.signal.aborted).toBe(false)
})

test('what is not wanted at its time is not asked', async () => {
  isWanted = false
  await newsFor(3000)
  expect(asked).toHaveLength(0)
})

test('nothing is asked after its end', async () => {
  answerMs = 500
  refresh.ask()
  await vi.advanceTimersByTimeAsync(100)
  refresh.ask()
  refresh.stop()
  await vi.advanceTimersByTimeAsync(60_000)
  expect(asked).toHaveLength(1)
})
