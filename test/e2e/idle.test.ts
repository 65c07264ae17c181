import { expect, test } from 'vitest'
import { type Line, openLine } from '../support/line.ts'
import { testSchedulers } from '../support/schedulers.ts'
import { startServer } from '../support/server.ts'
import { until } from '../support/until.ts'

const server = await startServer({ workers: 0 })
const schedulers = testSchedulers(server.database.url)
const observedMs = 12_000
const aBitLateMs = 3000

interface Duty {
  nextRunAt: string
  running: boolean
  lastStartedAt: string | null
}

test('an idle worker and an idle scheduler each send no more than a statement a second', async () => {
  const workerLine = await openLine(server.database.url)
  const leaderLine = await openLine(server.database.url)
  await server.startWorker({
    DATABASE_URL: workerLine.url,
    POLL_INTERVAL_SECONDS: '5',
    LEASE_DURATION_SECONDS: '15',
  })
  await schedulers.start({ DATABASE_URL: leaderLine.url })
  await (await server.enqueue('echo')).reaches('succeeded')
  const [worker, leader] = await statementsAtRest(workerLine, leaderLine)
  for (const sent of [worker, leader]) {
    expect(sent).toBeGreaterThan(0)
    expect(sent).toBeLessThanOrEqual(observedMs / 1000)
  }
})

/** Sent while no upkeep is due: a run of it costs a handful of statements each half minute. */
async function statementsAtRest(workerLine: Line, leaderLine: Line): Promise<[number, number]> {
  await untilUpkeepRests()
  const before = [workerLine.statements(), leaderLine.statements()] as const
  expect(Math.min(...before)).toBeGreaterThan(5)
  // A rate shows over time only.
  await Bun.sleep(observedMs)
  return [workerLine.statements() - before[0], leaderLine.statements() - before[1]]
}

async function untilUpkeepRests(): Promise<void> {
  const deadlineSeconds = 120
  await until(
    'the upkeep to rest',
    async () => {
      const { duties } = await (await server.request('GET', '/v1/schedules/internal')).json()
      return duties.length > 0 && duties.every(isAtRest)
    },
    deadlineSeconds,
  )
}

function isAtRest({ running, lastStartedAt, nextRunAt }: Duty): boolean {
  return !running && lastStartedAt !== null && Date.parse(nextRunAt) > Date.now() + observedMs + aBitLateMs
}
