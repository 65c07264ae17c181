import pino from 'pino'
import { expect, test } from 'vitest'
import { isInUse, openPool } from '../../../core/db.ts'
import { exposition } from '../../../core/metrics/exposition.ts'
import { cancel } from '../../../core/queue/cancel.ts'
import { rescue } from '../../../core/queue/finish.ts'
import type { Lease } from '../../../core/queue/row.ts'
import { Finisher } from '../../../worker/finisher.ts'
import { WorkerMetrics } from '../../../worker/worker-metrics.ts'
import { testDatabase } from '../../support/database.ts'
import { parseExposition } from '../../support/exposition.ts'
import { openLossyPool } from '../../support/lost-answer.ts'
import { testQueue } from '../../support/queue.ts'
import { until } from '../../support/until.ts'

const { sql, url } = await testDatabase()
const queue = await testQueue(sql)

function finishing(pool = sql, { leaseSeconds = 60 } = {}) {
  const metrics = new WorkerMetrics()
  const finisher = new Finisher(pool, { leaseSeconds, metrics, log: pino({ level: 'silent' }) })
  return { finisher, count: (key: string) => parseExposition(exposition(metrics.families())).get(key) }
}

test('an end that comes too late is counted as refused', async () => {
  const { finisher, count } = finishing()
  await queue.enqueue()
  const { lease } = await queue.claimOne()
  await queue.expireLeases()
  await rescue(sql, { limit: 10 })
  expect(await finisher.finish(lease, { kind: 'succeeded', result: null })).toBe('lost')
  expect(count('job_server_stale_finish_total')).toBe(1)
  const again = await queue.claimOne()
  await finisher.finish(again.lease, { kind: 'succeeded', result: null })
  expect(count('job_server_stale_finish_total')).toBe(1)
})

test('an end whose job another holds a lock on keeps none of the others waiting', async () => {
  const patient = openPool({ DATABASE_URL: url, DATABASE_POOL_SIZE: 1 }, 'test')
  await patient`set lock_timeout = '100ms'`
  const { finisher } = finishing(patient)
  const jobIds = [await queue.enqueue(), await queue.enqueue(), await queue.enqueue()]
  const leases = (await queue.claim({ limit: 3 })).map(({ lease }) => lease)
  const end = (lease: Lease) => finisher.finish(lease, { kind: 'succeeded', result: null })
  const held = await sql.begin(async (tx) => {
    await tx`select from job_server.jobs where id = ${jobIds[1] ?? ''} for key share`
    const ends = leases.map((lease) => ({ lease, written: end(lease) }))
    const isHeld = ({ lease }: { lease: Lease }) => lease.jobId === jobIds[1]
    for (const { written } of ends.filter((each) => !isHeld(each))) {
      expect(await written).toMatchObject({ status: 'succeeded' })
    }
    return ends.find(isHeld)
  })
  expect(await held?.written).toMatchObject({ status: 'succeeded' })
  await patient.end()
})

test('children that another transaction is in the way of are given up, and the job is still ours to end', async () => {
  const patient = openPool({ DATABASE_URL: url, DATABASE_POOL_SIZE: 1 }, 'test')
  await patient`set lock_timeout = '100ms'`
  const { finisher } = finishing(patient, { leaseSeconds: 0.5 })
  await queue.enqueue()
  const { lease } = await queue.claimOne()
  await sql.begin(async (tx) => {
    await tx`
      insert into job_server.lanes (queue, definition_key, definition_version) values ('in-the-making', 'test', 1)`
    const jobs = [{ definitionKey: 'test', queue: 'in-the-making' }]
    await expect(finisher.finishWithChildren(lease, { jobs, onFailure: 'fail' })).rejects.toSatisfy(isInUse)
  })
  expect(await finisher.finish(lease, { kind: 'cancelled' })).toMatchObject({ status: 'cancelled' })
  await patient.end()
})

test('what follows from an end whose answer was lost is made up for', async () => {
  const lossy = await openLossyPool(url)
  const { finisher } = finishing(lossy.pool)
  const first = await queue.enqueue()
  const dependent = await queue.enqueue({ dependsOn: [first] })
  const { lease } = await queue.claimOne()
  lossy.loseAnswer()
  expect(await finisher.finish(lease, { kind: 'succeeded', result: null })).toMatchObject({
    status: 'succeeded',
  })
  expect(lossy.isToLose).toBe(false)
  const next = await until('the dependent to be ready', async () => (await queue.claim())[0])
  expect(next.lease.jobId).toBe(dependent)
  await finisher.finish(next.lease, { kind: 'succeeded', result: null })
  await lossy.pool.end()
})

test('the time of a cancel runs from its request to its end', async () => {
  const { finisher, count } = finishing()
  const jobId = await queue.enqueue()
  const { lease } = await queue.claimOne()
  await cancel(sql, jobId)
  await sql`update job_server.jobs set cancel_requested_at = now() - interval '3 seconds' where id = ${jobId}`
  expect(await finisher.finish(lease, { kind: 'cancelled' })).toMatchObject({ status: 'cancelled' })
  expect(count('job_server_cancel_seconds_count')).toBe(1)
  expect(count('job_server_cancel_seconds_sum')).toBeGreaterThan(3)
  expect(count('job_server_cancel_seconds_bucket{le="2.5"}')).toBe(0)
})
