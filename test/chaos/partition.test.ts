import { expect, test } from 'vitest'
import { chaosJobs, openLedger } from '../support/ledger.ts'
import { openLine } from '../support/line.ts'
import { startServer } from '../support/server.ts'
import { until } from '../support/until.ts'

const server = await startServer({
  workers: 0,
  environment: { JOBS_DIR: chaosJobs, LEASE_DURATION_SECONDS: '4' },
})
const ledger = openLedger()

test('a worker cut off from the database stops its jobs before another may begin them', async () => {
  const line = await openLine(server.database.url)
  const cutOff = await server.startWorker({ DATABASE_URL: line.url })
  const job = await server.enqueue('chaos.tick', { ledger: ledger.path, seconds: 8 })
  await until('the job to tick', async () => (await ledger.ticks()).has(1))
  line.cut()
  const other = await server.startWorker()
  expect(await job.reaches('succeeded')).toMatchObject({ attempts: 2, workerId: other.name })
  expect((await job.read()).attemptHistory).toMatchObject([
    { workerId: cutOff.name, outcome: 'lease_expired' },
    { workerId: other.name, outcome: 'succeeded' },
  ])

  const ticks = await ledger.ticks()
  expect(ticks.get(1)?.at(-1)).toBeLessThan(ticks.get(2)?.[0] ?? 0)

  // Back again, it is a worker like any other.
  line.mend()
  await other.stop(60)
  const next = await server.enqueue('echo')
  expect(await next.reaches('succeeded')).toMatchObject({ workerId: cutOff.name })
})
