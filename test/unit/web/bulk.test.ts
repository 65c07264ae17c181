import { afterEach, beforeEach, expect, test, vi } from 'vitest'

// The typed client beside these is made for the page that it is loaded by.
vi.stubGlobal('location', { origin: 'http://localhost' })
vi.stubGlobal('sessionStorage', { getItem: () => null })
const { cancelJobs, cancelMatching } = await import('../../../web/views/jobs/bulk.ts')

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

/** In this order; the last again and again. @returns the paths that were asked */
function answerWith(...answers: (() => Response)[]): string[] {
  const asked: string[] = []
  vi.stubGlobal('fetch', async (url: string) => {
    const answer = answers[Math.min(asked.length, answers.length - 1)]
    asked.push(new URL(url).pathname)
    return answer?.()
  })
  return asked
}

const named = (cancelled: number, cancelling = 0) => {
  const ids = (count: number) => Array.from({ length: count }, (_, index) => `job-${index}`)
  return () => Response.json({ cancelled: ids(cancelled), cancelling: ids(cancelling) })
}
const cancelled = () => Response.json({ status: 'cancelled' })
const finished = () => Response.json({ detail: 'It has finished.', code: 'job_finished' }, { status: 409 })
const tooMany = (headers: Record<string, string>) => () =>
  Response.json({ detail: 'Too many requests.', code: 'rate_limited' }, { status: 429, headers })

test('all that match are cancelled until an answer names none, whatever is missing in one before', async () => {
  const asked = answerWith(named(1000), named(998, 1), named(0, 3), named(0))
  const progress: number[] = []
  const outcome = await cancelMatching({ queue: 'a' }, (cancelled) => progress.push(cancelled))
  expect(outcome).toEqual({ cancelled: 2002, problem: null })
  expect(progress).toEqual([1000, 1999, 2002])
  expect(asked).toHaveLength(4)
})

test('jobs that are queued after the press are not among those that match', async () => {
  vi.setSystemTime('2030-01-01T12:00:00Z')
  const limits: string[] = []
  vi.stubGlobal('fetch', async (_url: string, { body }: { body: string }) => {
    const { queuedBefore, queue, limit } = JSON.parse(body)
    limits.push(queuedBefore)
    expect({ queue, limit }).toEqual({ queue: 'a', limit: 1000 })
    vi.setSystemTime(Date.now() + 60_000)
    return named(limits.length < 3 ? 5 : 0)()
  })
  expect(await cancelMatching({ queue: 'a' })).toEqual({ cancelled: 10, problem: null })
  expect(limits).toEqual(Array(3).fill('2030-01-01T12:00:00.000Z'))
})

test('what ends it midway does not make forgotten what was done before', async () => {
  answerWith(named(1000), named(1000), () => Response.json({ detail: 'Broken.', code: 'x' }, { status: 500 }))
  const { cancelled, problem } = await cancelMatching({ queue: 'a' })
  expect(cancelled).toBe(2000)
  expect(problem).toMatchObject({ message: 'Broken.' })
})

test('nothing is cancelled where nothing says which', async () => {
  const asked = answerWith(named(1))
  await expect(cancelMatching({})).rejects.toThrow('nothing says which')
  expect(asked).toEqual([])
})

test('all that match are cancelled across a refusal for too many requests', async () => {
  const asked = answerWith(named(1000), tooMany({ 'retry-after': '3' }), named(10), named(0))
  const done = cancelMatching({ queue: 'a' })
  await vi.advanceTimersByTimeAsync(2900)
  expect(asked).toHaveLength(2)
  await vi.advanceTimersByTimeAsync(100)
  expect(await done).toEqual({ cancelled: 1010, problem: null })
})

test('a job that is refused for too many requests is asked for again once that is allowed', async () => {
  const asked = answerWith(tooMany({ 'retry-after': '2' }), tooMany({}), cancelled)
  const outcome = cancelJobs(['a'])
  await vi.advanceTimersByTimeAsync(1900)
  expect(asked).toHaveLength(1)
  await vi.advanceTimersByTimeAsync(100)
  expect(asked).toHaveLength(2)
  await vi.advanceTimersByTimeAsync(1000)
  expect(await outcome).toEqual({ done: 1, refused: [], reason: null })
  expect(asked).toEqual(Array(3).fill('/v1/jobs/a/cancel'))
})

test('who would have to wait for minutes is told so', async () => {
  answerWith(tooMany({ 'retry-after': '600' }))
  const reason = 'Too many requests.'
  expect(await cancelJobs(['a'])).toEqual({ done: 0, refused: ['a'], reason })
})

test('those that are refused are named, with the reason of the first', async () => {
  answerWith(cancelled, finished, cancelled, finished)
  const outcome = await cancelJobs(['a', 'b', 'c', 'd'])
  expect(outcome).toEqual({ done: 2, refused: ['b', 'd'], reason: 'It has finished.' })
})
