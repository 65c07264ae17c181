/** `job_server.demand()`, by which autoscalers and the scheduler's measures go. */
import { beforeEach, expect, test } from 'vitest'
import { pauseQueue, resumeQueue } from '../../../../core/queues/pause.ts'
import { beat } from '../../../../core/workers/beat.ts'
import { testDatabase } from '../../../support/database.ts'
import { testQueue } from '../../../support/queue.ts'

const { sql } = await testDatabase()
const queue = await testQueue(
  sql,
  { key: 'free' },
  { key: 'limited', concurrencyLimit: 2 },
  { key: 'rated', rateLimit: { count: 1, seconds: 3600 } },
)

beforeEach(async () => {
  await sql`delete from job_server.jobs`
  await sql`delete from job_server.workers`
})

async function enqueue(count: number, definitionKey: string, inQueue = 'default'): Promise<void> {
  for (let each = 0; each < count; each++) await queue.enqueue({ definitionKey, queue: inQueue })
}

async function demand(queues: string[] | null = null) {
  const [row] = await sql<[{ jobs: number; oldestSeconds: number; unserved: number }]>`
    select jobs::int, oldest_seconds, unserved_jobs::int as unserved from job_server.demand(${queues})`
  return row
}

async function worker(id: string, info: { queues: string[]; definitions: string[] }): Promise<void> {
  await beat(sql, { id, kind: 'worker', slots: 2, info })
}

test('what runs and what could be claimed is wanted; what is due later or paused is not', async () => {
  await enqueue(2, 'free')
  await enqueue(1, 'free', 'paused')
  await queue.enqueue({ delaySeconds: 3600 })
  await pauseQueue(sql, 'paused')
  expect(await demand()).toEqual({ jobs: 2, oldestSeconds: expect.any(Number), unserved: 0 })
  await queue.claimOne()
  expect(await demand()).toMatchObject({ jobs: 2 })
  await resumeQueue(sql, 'paused')
  expect(await demand()).toMatchObject({ jobs: 3 })
})

test('a definition with a limit wants as many slots as it may have, over all its queues, and is never late', async () => {
  await enqueue(5, 'limited')
  await enqueue(5, 'limited', 'other')
  await sql`update job_server.jobs set turn_at = now() - interval '1 hour'`
  expect(await demand()).toEqual({ jobs: 2, oldestSeconds: 0, unserved: 0 })
  await queue.claim({ limit: 1 })
  expect(await demand()).toMatchObject({ jobs: 2 })
  await queue.claim({ limit: 1 })
  expect(await demand()).toMatchObject({ jobs: 2 })
})

test('one whose starts are limited wants those that may start now', async () => {
  await enqueue(5, 'rated')
  expect(await demand()).toMatchObject({ jobs: 1 })
  await queue.claim({ limit: 5 })
  expect(await demand()).toEqual({ jobs: 1, oldestSeconds: 0, unserved: 0 })
})

test('the age is that of the oldest which could be claimed', async () => {
  await pauseQueue(sql, 'paused')
  await enqueue(1, 'free', 'paused')
  await sql`update job_server.jobs set turn_at = now() - interval '1000 seconds'`
  await enqueue(1, 'free')
  await sql`update job_server.jobs set turn_at = now() - interval '200 seconds' where queue = 'default'`
  const { oldestSeconds } = await demand()
  expect(oldestSeconds).toBeGreaterThanOrEqual(200)
  expect(oldestSeconds).toBeLessThan(900)
})

test('what no living worker has is told apart, and wants nobody', async () => {
  await enqueue(2, 'free')
  await enqueue(3, 'limited')
  await enqueue(4, 'free', 'gpu')
  await worker('one', { queues: ['default'], definitions: ['free@1'] })
  expect(await demand()).toMatchObject({ jobs: 2, unserved: 7 })
  await worker('two', { queues: [], definitions: ['limited@1'] })
  expect(await demand()).toMatchObject({ jobs: 4, unserved: 4 })
})

test('while no worker takes up jobs all are wanted, as one has to begin', async () => {
  await enqueue(2, 'free')
  await worker('silent', { queues: [], definitions: ['limited@1'] })
  await sql`update job_server.workers set heartbeat_at = now() - interval '31 seconds'`
  await worker('draining', { queues: [], definitions: [] })
  expect(await demand()).toMatchObject({ jobs: 2, unserved: 0 })
})

test('a fleet of its own queues is asked for by these', async () => {
  await enqueue(2, 'free')
  await enqueue(3, 'free', 'gpu')
  await queue.claim({ queues: ['gpu'] })
  await queue.claim({ queues: ['default'] })
  await worker('one', { queues: ['default'], definitions: ['free@1'] })
  // None of these workers lives, whoever else does.
  await worker('general', { queues: [], definitions: ['limited@1'] })
  expect(await demand(['gpu'])).toMatchObject({ jobs: 3, unserved: 0 })
  await worker('two', { queues: ['gpu', 'other'], definitions: ['free@1'] })
  expect(await demand(['gpu', 'other'])).toMatchObject({ jobs: 3, unserved: 0 })
  expect(await demand(['default'])).toMatchObject({ jobs: 2 })
})
