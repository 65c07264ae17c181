import { expect, test } from 'vitest'
import { type Line, openLine } from '../support/line.ts'
import { testSchedulers } from '../support/schedulers.ts'
import { startServer } from '../support/server.ts'
import { until } from '../support/until.ts'

const server = await startServer({ workers: 0 })
const schedulers = testSchedulers(server.database.url)
const observedMs = 12_000

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
  await untilUpkeepIsDone()
  const [worker, leader] = await statementsWithinAMinute(workerLine, leaderLine)
  expect(worker).toBeGreaterThan(0)
  expect(worker).toBeLessThanOrEqual(observedMs / 1000)
  expect(leader).toBeGreaterThan(0)
  // The upkeep of each half minute may fall into it.
  expect(leader).toBeLessThanOrEqual(observedMs / 1000 + 4)
})

/** Sent while no new minute began: then most of the upkeep is due, all at once. */
async function statementsWithinAMinute(workerLine: Line, leaderLine: Line): Promise<[number, number]> {
  for (;;) {
    const startedIn = await minuteOfDatabase()
    const before = [workerLine.statements(), leaderLine.statements()] as const
    expect(Math.min(...before)).toBeGreaterThan(5)
    // A rate shows over time only.
    await Bun.sleep(observedMs)
    const sent = [workerLine.statements() - before[0], leaderLine.statements() - before[1]] as [
      number,
      number,
    ]
    if ((await minuteOfDatabase()) === startedIn) return sent
    await untilUpkeepIsDone()
  }
}

async function minuteOfDatabase(): Promise<string | undefined> {
  const [row] = await server.database.sql<
    { minute: string }[]
  >`select date_trunc('minute', now())::text as minute`
  return row?.minute
}

async function untilUpkeepIsDone(): Promise<void> {
  await until('the upkeep to be done', async () => {
    const { duties } = await (await server.request('GET', '/v1/schedules/internal')).json()
    return duties.length > 0 && duties.every(isDone)
  })
}

function isDone({ running, lastStartedAt, nextRunAt }: Duty): boolean {
  return !running && lastStartedAt !== null && Date.parse(nextRunAt) > Date.now()
}
