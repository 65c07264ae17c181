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
  const atFirst = await rateAtRest(workerLine, leaderLine)
  // What is left of the start may fall into the first look.
  const rates = isAtMostOne(atFirst) ? atFirst : await rateAtRest(workerLine, leaderLine)
  expect(rates).toSatisfy(isAtMostOne)
  expect(Math.min(...rates)).toBeGreaterThan(0)
})

function isAtMostOne(rates: number[]): boolean {
  return rates.every((perSecond) => perSecond <= 1)
}

/** Statements a second while no upkeep is due: a run of it costs a handful each half minute. */
async function rateAtRest(...lines: Line[]): Promise<number[]> {
  await untilUpkeepRests()
  const before = lines.map((line) => line.statements())
  expect(Math.min(...before)).toBeGreaterThan(5)
  const startedAt = performance.now()
  // A rate shows over time only.
  await Bun.sleep(observedMs)
  const seconds = (performance.now() - startedAt) / 1000
  return lines.map((line, index) => (line.statements() - (before[index] ?? 0)) / seconds)
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
