/** What KEDA asks of the database, asked of it. */
import { expect, test } from 'vitest'
import { pauseQueue } from '../../../core/queues/pause.ts'
import { testDatabase } from '../../support/database.ts'
import { kubernetesDirectory, manifestsOf } from '../../support/manifests.ts'
import { testQueue } from '../../support/queue.ts'

const { sql } = await testDatabase()
const queue = await testQueue(sql)
const scaled = (await manifestsOf(kubernetesDirectory)).find(({ kind }) => kind === 'ScaledObject')

/** The one number that a query gives, as KEDA reads it. */
async function ask(name: 'jobs' | 'oldest'): Promise<number> {
  const trigger = scaled.spec.triggers.find((one: { name: string }) => one.name === name)
  const rows = await sql.unsafe(trigger.metadata.query)
  expect(rows).toHaveLength(1)
  return Number(Object.values(rows[0] ?? {})[0])
}

test('an empty queue wants nobody', async () => {
  expect(await ask('jobs')).toBe(0)
  expect(await ask('oldest')).toBe(0)
})

test('jobs that wait or run are counted, those due later or paused are not', async () => {
  await queue.enqueue()
  await queue.enqueue()
  await queue.enqueue({ queue: 'paused' })
  await queue.enqueue({ delaySeconds: 3600 })
  await pauseQueue(sql, 'paused')
  expect(await ask('jobs')).toBe(2)
  await queue.claimOne()
  expect(await ask('jobs')).toBe(2)
})

test('the age is that of the oldest which could be claimed', async () => {
  await sql`update job_server.jobs set turn_at = now() - interval '1000 seconds'`
  await sql`update job_server.jobs set turn_at = now() - interval '200 seconds' where state = 'ready' and queue = 'default'`
  expect(await ask('oldest')).toBeGreaterThanOrEqual(200)
  expect(await ask('oldest')).toBeLessThan(900)
})
