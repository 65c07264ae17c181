import { beforeEach, expect, test } from 'vitest'
import {
  type DeadLetterFilter,
  groupDeadLetters,
  listDeadLetters,
} from '../../../../core/dead-letters/read.ts'
import { redriveMatching, redriveOne } from '../../../../core/dead-letters/redrive.ts'
import { cancel } from '../../../../core/queue/cancel.ts'
import { enqueue, enqueueAnother, enqueueMany } from '../../../../core/queue/enqueue.ts'
import { finish, finishWithChildren } from '../../../../core/queue/finish.ts'
import { retryJob } from '../../../../core/queue/retry.ts'
import { createSchedule, scheduleDefaults } from '../../../../core/schedules/create.ts'
import { testDatabase } from '../../../support/database.ts'
import { failedWith, testQueue } from '../../../support/queue.ts'

const { sql } = await testDatabase()
const queue = await testQueue(sql, { key: 'encode.video' }, { key: 'encode.part' })
const part = { definitionKey: 'encode.part' }
const refused = { code: 'only_as_child', message: expect.stringContaining('"encode.part"') }

beforeEach(async () => {
  await sql`truncate job_server.jobs, job_server.dead_letters`
})

async function parentWithChild() {
  await queue.enqueue({ maxAttempts: 1 })
  const { lease } = await queue.claimOne()
  await finishWithChildren(sql, lease, { jobs: [part], onFailure: 'fail' })
  return await queue.claimOne()
}

test('a part of a video is enqueued by its parent, and by nobody else', async () => {
  await expect(enqueue(sql, part)).rejects.toMatchObject(refused)
  await expect(enqueueAnother(sql, part)).rejects.toMatchObject(refused)
  await expect(sql.begin((tx) => enqueue(tx, part))).rejects.toMatchObject(refused)
  await expect(enqueueMany(sql, [{ definitionKey: 'encode.video' }, part])).rejects.toMatchObject({
    ...refused,
    message: expect.stringContaining('jobs.1.definitionKey: '),
  })
  expect(await queue.claim({ limit: 10 })).toEqual([])
  expect((await parentWithChild()).definitionKey).toBe('encode.part')
})

test('no schedule is made of it', async () => {
  const schedule = { ...scheduleDefaults, ...part, name: 'parts', expression: 'every 60s' }
  await expect(createSchedule(sql, schedule, { minPeriodSeconds: 1 })).rejects.toMatchObject(refused)
})

test('one that failed or was cancelled is not run again without its parent', async () => {
  const cancelled = await parentWithChild()
  await cancel(sql, cancelled.lease.jobId)
  await finish(sql, [{ lease: cancelled.lease, end: { kind: 'cancelled' } }])
  await expect(retryJob(sql, cancelled.lease.jobId)).rejects.toMatchObject(refused)

  const { lease } = await parentWithChild()
  await finish(sql, [{ lease, end: { ...failedWith('x'), retry: false } }])
  await expect(retryJob(sql, lease.jobId)).rejects.toMatchObject(refused)
  const [letter] = await sql<{ id: string }[]>`
    select id from job_server.dead_letters where original_job_id = ${lease.jobId}`
  await expect(redriveOne(sql, letter?.id ?? '')).rejects.toMatchObject(refused)

  expect(await groupDeadLetters(sql)).toMatchObject([{ definitionKey: 'encode.video', count: 2 }])
  const listed = async (filter: DeadLetterFilter) => {
    const { jobs, total } = await listDeadLetters(sql, filter, { limit: 10, offset: 0, total: true })
    expect(total).toBe(jobs.length)
    return jobs.map(({ definitionKey }) => definitionKey)
  }
  expect(await listed({ redriven: false }), 'what waits for somebody').toEqual([
    'encode.video',
    'encode.video',
  ])
  expect(await listed({})).toContain('encode.part')
  expect(await listed({ redriven: false, ...part })).toEqual(['encode.part'])
  const redriven = await redriveMatching(sql, {}, { limit: 10 })
  expect(redriven).not.toEqual([])
  const again = await queue.claim({ limit: 10 })
  expect(new Set(again.map(({ definitionKey }) => definitionKey))).toEqual(new Set(['encode.video']))
})
