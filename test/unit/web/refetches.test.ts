import { QueryClient, QueryObserver } from '@tanstack/react-query'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'

// The typed client beside these is made for the page that it is loaded by.
vi.stubGlobal('location', { origin: 'http://localhost' })
vi.stubGlobal('sessionStorage', { getItem: () => null })
const { ApiProblem } = await import('../../../web/api.ts')
const { createQueryCache, isStale, watchStaleness } = await import('../../../web/live/refetches.ts')

const key = ['numbers']
let queries: QueryClient
let problem: Error | null = null
/** What was told, each time it changed. */
let told: boolean[] = []
let unwatch = () => {}

beforeEach(() => {
  ;[problem, told] = [null, []]
  queries = new QueryClient({
    queryCache: createQueryCache(),
    defaultOptions: { queries: { retry: false } },
  })
  unwatch = watchStaleness(queries, () => {
    if (isStale(queries) !== (told.at(-1) ?? false)) told.push(isStale(queries))
  })
})
afterEach(() => {
  unwatch()
  queries.clear()
})

function look(): () => void {
  const observer = new QueryObserver(queries, {
    queryKey: key,
    queryFn: async () => {
      if (problem !== null) throw problem
      return 1
    },
  })
  return observer.subscribe(() => {})
}

const ask = () => queries.refetchQueries({ queryKey: key })
const gone = new ApiProblem('Not now.', 503, 'unavailable')

test('numbers that can’t be read again are said to be old, until they can', async () => {
  const leave = look()
  await ask()
  problem = gone
  await ask()
  expect(told).toEqual([true])
  // What an event writes into them does not make them new.
  queries.setQueryData(key, 2)
  expect(told).toEqual([true])
  problem = null
  await ask()
  expect(told).toEqual([true, false])
  leave()
})

test('what is not shown any more is not said to be old', async () => {
  const leave = look()
  await ask()
  problem = gone
  await ask()
  leave()
  expect(told).toEqual([true, false])
})

test('what could never be read says so itself', async () => {
  problem = gone
  const leave = look()
  await ask()
  expect(told).toEqual([])
  leave()
})

test('what is gone, or refused, after it could not be read is not old any more', async () => {
  const leave = look()
  await ask()
  for (const next of [gone, new ApiProblem('No.', 404, 'no')]) {
    problem = next
    await ask()
  }
  expect(told).toEqual([true, false])
  leave()
})

test.each([404, 403])('what the API refuses with status %i is not old', async (status) => {
  const leave = look()
  await ask()
  problem = new ApiProblem('No.', status, 'no')
  await ask()
  expect(told).toEqual([])
  leave()
})
