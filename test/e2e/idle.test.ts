import { expect, test } from 'vitest'
import { openLine } from '../support/line.ts'
import { testSchedulers } from '../support/schedulers.ts'
import { startServer } from '../support/server.ts'
import { until } from '../support/until.ts'

const server = await startServer({ workers: 0 })
const schedulers = testSchedulers(server.database.url)
const observedMs = 12_000

interface Duty {
  running: boolean
  lastStartedAt: string | null
}

test('an idle worker and an idle scheduler send about one statement a second', async () => {
  const workerLine = await openLine(server.database.url)
  const leaderLine = await openLine(server.database.url)
  await server.startWorker({
    DATABASE_URL: workerLine.url,
    POLL_INTERVAL_SECONDS: '5',
    LEASE_DURATION_SECONDS: '15',
  })
  await schedulers.start({ DATABASE_URL: leaderLine.url })
  await (await server.enqueue('echo')).reaches('succeeded')
  await until('the first upkeep to be done', async () => {
    const { duties } = await (await server.request('GET', '/v1/schedules/internal')).json()
    return duties.length > 0 && duties.every(({ running, lastStartedAt }: Duty) => !running && lastStartedAt)
  })
  const before = [workerLine.statements(), leaderLine.statements()]
  expect(Math.min(...before)).toBeGreaterThan(5)
  // A rate shows over time only.
  await Bun.sleep(observedMs)
  const [worker = 0, leader = 0] = [workerLine, leaderLine].map(
    (line, index) => line.statements() - (before[index] ?? 0),
  )
  expect(worker).toBeGreaterThan(0)
  expect(worker).toBeLessThanOrEqual(observedMs / 1000)
  // Beside the lease it does the upkeep of the whole product, which is due by the minute and by ten seconds.
  expect(leader).toBeGreaterThan(0)
  expect(leader).toBeLessThanOrEqual((2 * observedMs) / 1000)
})
