import { expect, test } from 'vitest'
import { databaseTime } from '../../core/db.ts'
import { chaosJobs, openLedger } from '../support/ledger.ts'
import { openLine } from '../support/line.ts'
import { startServer } from '../support/server.ts'
import { until } from '../support/until.ts'

const server = await startServer({
  workers: 0,
  environment: { JOBS_DIR: chaosJobs, LEASE_DURATION_SECONDS: '4' },
})
const ledger = openLedger()

test('a database that is away for less than a lease costs no job its attempt', async () => {
  const { sql } = server.database
  const line = await openLine(server.database.url)
  const worker = await server.startWorker({ DATABASE_URL: line.url, LEASE_DURATION_SECONDS: '20' })
  const job = await server.enqueue('chaos.tick', { ledger: openLedger().path, seconds: 600 })
  await job.reaches('running')
  line.drop()
  // One renewal at least falls into it, and more questions than the library has patience for.
  await Bun.sleep(7000)
  const backAt = await databaseTime(sql)
  await line.restore()
  await until('the lease to be renewed, or the job to be taken once more', async () => {
    const running = await sql`
      select from job_server.jobs where id = ${job.id} and state = 'running' and heartbeat_at > ${backAt}`
    return running.length > 0
  })
  expect(await job.read()).toMatchObject({ status: 'running', attempts: 1 })
  await server.request('POST', `/v1/jobs/${job.id}/cancel`)
  await job.reaches('cancelled')
  await worker.stop(60)
})

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
