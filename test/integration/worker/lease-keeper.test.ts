import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { openPool } from '../../../core/db.ts'
import { rescue } from '../../../core/queue/finish.ts'
import type { Lease } from '../../../core/queue/row.ts'
import { SilenceWatch } from '../../../core/silence-watch.ts'
import { LeaseKeeper } from '../../../worker/lease-keeper.ts'
import { testDatabase } from '../../support/database.ts'
import { openLine } from '../../support/line.ts'
import { testQueue } from '../../support/queue.ts'
import { until } from '../../support/until.ts'

const { sql, url } = await testDatabase()
const queue = await testQueue(sql)

async function keeping(jobs: number, databaseUrl = url) {
  const patient = openPool({ DATABASE_URL: databaseUrl, DATABASE_POOL_SIZE: 1 }, 'test')
  await patient`set lock_timeout = '100ms'`
  const lost: Lease[] = []
  const keeper = new LeaseKeeper(
    patient,
    { lost: (lease) => lost.push(lease), cancelling: () => {} },
    {
      leaseSeconds: 60,
      silence: new SilenceWatch({ seconds: 60, onSilent: () => {} }),
      log: pino({ level: 'silent' }),
    },
  )
  onTestFinished(async () => {
    await keeper.stop()
    await patient.end()
  })
  for (let each = 0; each < jobs; each++) await queue.enqueue()
  const leases = (await queue.claim({ limit: jobs, leaseSeconds: 30 })).map(({ lease }) => lease)
  for (const lease of leases) keeper.keep(lease, performance.now())
  return { keeper, lost, leases }
}

/** Those whose lease was renewed since they were claimed. */
async function renewed(leases: Lease[]): Promise<string[]> {
  const rows = await sql<{ id: string }[]>`
    select id from job_server.jobs
    where id = any(${leases.map(({ jobId }) => jobId)}::uuid[]) and heartbeat_at > started_at`
  return rows.map(({ id }) => id)
}

test('a lock that another holds on one job keeps no other lease from being renewed, and loses none', async () => {
  const { keeper, lost, leases } = await keeping(3)
  const [, held] = leases
  await sql.begin(async (tx) => {
    await tx`select from job_server.jobs where id = ${held?.jobId ?? ''} for update`
    await keeper.runOnce()
    expect(new Set(await renewed(leases))).toEqual(
      new Set(leases.filter((lease) => lease !== held).map(({ jobId }) => jobId)),
    )
  })
  expect(lost).toEqual([])
  await until('the last one to be renewed, too', async () => (await renewed(leases)).length === 3)
})

test('a renewal that the database did not answer is tried again before the next is due', async () => {
  const line = await openLine(url)
  const { keeper, lost, leases } = await keeping(1, line.url)
  line.drop()
  await keeper.runOnce()
  expect(await renewed(leases)).toEqual([])
  await line.restore()
  await until('the lease to be renewed', async () => (await renewed(leases)).length === 1)
  expect(lost).toEqual([])
})

test('one that was rescued is lost, however the others do', async () => {
  const { keeper, lost, leases } = await keeping(1)
  await queue.expireLeases()
  await rescue(sql, { limit: 10 })
  await keeper.runOnce()
  expect(lost).toEqual(leases)
})
