import pino from 'pino'
import { expect, test } from 'vitest'
import { exposition } from '../../../core/metrics/exposition.ts'
import { cancel } from '../../../core/queue/cancel.ts'
import { rescue } from '../../../core/queue/finish.ts'
import { Finisher } from '../../../worker/finisher.ts'
import { WorkerMetrics } from '../../../worker/worker-metrics.ts'
import { testDatabase } from '../../support/database.ts'
import { parseExposition } from '../../support/exposition.ts'
import { testQueue } from '../../support/queue.ts'

const { sql } = await testDatabase()
const queue = await testQueue(sql)

function finishing() {
  const metrics = new WorkerMetrics()
  const finisher = new Finisher(sql, { leaseSeconds: 60, metrics, log: pino({ level: 'silent' }) })
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
