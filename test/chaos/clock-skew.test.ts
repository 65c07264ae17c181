import { expect, test } from 'vitest'
import { startServer } from '../support/server.ts'

const preload = new URL('./skew.ts', import.meta.url).pathname
const server = await startServer({ workers: 0 })

test.each([600, -600])('a worker whose clock is wrong by %i s changes nothing', async (skewSeconds) => {
  const worker = await server.startWorker({
    BUN_OPTIONS: `--preload ${preload}`,
    SKEW_SECONDS: String(skewSeconds),
    LOG_LEVEL: 'info',
  })
  // Its own log shows that the clock is wrong.
  const loggedAt = Date.parse(/"time":"([^"]+)"/.exec(worker.lastLines)?.[1] ?? '')
  expect(Math.round((loggedAt - Date.now()) / 60_000)).toBe(skewSeconds / 60)

  const delayed = await server.enqueue('echo', {}, { delaySeconds: 2 })
  const failing = await server.enqueue('failing', {}, { maxAttempts: 3, backoff: { baseSeconds: 0.2 } })
  const jobs = await Promise.all(Array.from({ length: 10 }, () => server.enqueue('echo')))
  for (const job of jobs) expect(await job.reaches('succeeded')).toMatchObject({ attempts: 1 })
  const { queuedAt, startedAt } = (await delayed.reaches('succeeded')) as unknown as Record<string, string>
  const waited = Date.parse(startedAt ?? '') - Date.parse(queuedAt ?? '')
  expect(waited).toBeGreaterThanOrEqual(2000)
  expect((await failing.reaches('failed')).attemptHistory.map(({ outcome }) => outcome)).toEqual([
    'threw',
    'threw',
    'threw',
  ])
  await worker.stop(60)
})
