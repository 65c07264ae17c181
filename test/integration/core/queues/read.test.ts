import { beforeEach, expect, test } from 'vitest'
import { enqueueMany } from '../../../../core/queue/enqueue.ts'
import { pauseQueue, resumeQueue } from '../../../../core/queues/pause.ts'
import { listQueues } from '../../../../core/queues/read.ts'
import { testDatabase } from '../../../support/database.ts'
import { testQueue } from '../../../support/queue.ts'

const { sql } = await testDatabase()
const queue = await testQueue(sql)

beforeEach(async () => {
  await sql`truncate job_server.jobs, job_server.queues`
  await sql`delete from job_server.lanes where queue <> 'default'`
})

async function namesOf(page: { limit: number; offset: number }): Promise<string[]> {
  return (await listQueues(sql, page)).queues.map(({ name }) => name)
}

test('queues are read a page at a time, with the number and the sum of all', async () => {
  const names = Array.from({ length: 30 }, (_, n) => `customer-${n + 10}`)
  await enqueueMany(
    sql,
    names.flatMap((name) => [
      { definitionKey: 'test', queue: name },
      { definitionKey: 'test', queue: name, delaySeconds: 60 },
    ]),
  )
  await sql`update job_server.jobs set turn_at = now() - interval '50 seconds' where queue = 'customer-39'`
  await queue.claim({ queues: ['customer-10'] })
  const { queues, total, all } = await listQueues(sql, { limit: 2, offset: 0 })
  expect(queues).toMatchObject([
    { name: 'customer-10', pausedAt: null, ready: 0, scheduled: 1, running: 1 },
    { name: 'customer-11', pausedAt: null, ready: 1, scheduled: 1, running: 0 },
  ])
  expect(total).toBe(31)
  expect(all).toMatchObject({ ready: 29, scheduled: 30, running: 1, blocked: 0, waiting: 0 })
  expect(all.oldestAgeSeconds).toBeGreaterThanOrEqual(50)
  expect(await namesOf({ limit: 2, offset: 29 })).toEqual(['customer-39', 'default'])
  expect(await listQueues(sql, { limit: 2, offset: 31 })).toMatchObject({ queues: [], total: 31 })
})

test('where nothing waits, the sum is nothing', async () => {
  expect((await listQueues(sql, { limit: 10, offset: 0 })).all).toEqual({
    ready: 0,
    blocked: 0,
    scheduled: 0,
    running: 0,
    waiting: 0,
    oldestAgeSeconds: null,
  })
})

test('one that nothing names is there while it is paused', async () => {
  await pauseQueue(sql, 'quiet')
  expect(await namesOf({ limit: 10, offset: 0 })).toEqual(['default', 'quiet'])
  await resumeQueue(sql, 'quiet')
  expect(await namesOf({ limit: 10, offset: 0 })).toEqual(['default'])
})
