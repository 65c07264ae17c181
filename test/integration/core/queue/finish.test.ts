import { beforeEach, describe, expect, test } from 'vitest'
import { cancel } from '../../../../core/queue/cancel.ts'
import { type End, finish, finishWithChildren, rescue } from '../../../../core/queue/finish.ts'
import { heartbeat } from '../../../../core/queue/heartbeat.ts'
import { readAttempts, readJob } from '../../../../core/queue/read.ts'
import type { Lease } from '../../../../core/queue/row.ts'
import { testDatabase, waitsForLock } from '../../../support/database.ts'
import { failedWith, testQueue } from '../../../support/queue.ts'

const { sql } = await testDatabase()
const queue = await testQueue(sql)

const failed = failedWith('boom')

beforeEach(async () => {
  await sql`truncate job_server.jobs`
})

test('a job that succeeded is read from history with its result', async () => {
  const jobId = await queue.enqueue()
  const { lease } = await queue.claimOne()
  const { finished, lost } = await finish(sql, [{ lease, end: { kind: 'succeeded', result: { n: 1 } } }])
  expect(finished).toEqual([{ lease, status: 'succeeded' }])
  expect(lost).toEqual([])
  expect(await readJob(sql, jobId)).toMatchObject({ status: 'succeeded', result: { n: 1 }, attempts: 1 })
})

test('only an attempt with an error has one to be read', async () => {
  const jobId = await queue.enqueue()
  await finish(sql, [{ lease: (await queue.claimOne()).lease, end: failed }])
  await finish(sql, [{ lease: (await queue.claimOne()).lease, end: { kind: 'succeeded', result: 1 } }])
  expect((await readAttempts(sql, jobId)).map(({ error }) => error)).toEqual([
    { message: 'It went boom.' },
    null,
  ])
})

test('a paused worker can not finish a job that was rescued from it', async () => {
  const jobId = await queue.enqueue()
  const first = await queue.claimOne('w1')
  await queue.expireLeases()
  expect(await rescue(sql, { limit: 10 })).toEqual([{ lease: first.lease, status: 'queued' }])
  const second = await queue.claimOne('w2')

  const late = await finish(sql, [{ lease: first.lease, end: { kind: 'succeeded', result: 'late' } }])
  expect(late).toEqual({ finished: [], lost: [first.lease] })
  expect((await heartbeat(sql, [first.lease], { leaseSeconds: 60 })).lost).toEqual([first.lease])

  await finish(sql, [{ lease: second.lease, end: { kind: 'succeeded', result: 'right' } }])
  expect(await readJob(sql, jobId)).toMatchObject({ status: 'succeeded', result: 'right', workerId: 'w2' })
  expect(await readAttempts(sql, jobId)).toMatchObject([
    { attempt: 1, workerId: 'w1', outcome: 'lease_expired', errorCode: 'lease_expired' },
    { attempt: 2, workerId: 'w2', outcome: 'succeeded' },
  ])
})

test('an end whose answer got lost can be written again and is told as it was', async () => {
  await queue.enqueue()
  const { lease } = await queue.claimOne()
  const end: End = { kind: 'succeeded', result: null }
  const first = await finish(sql, [{ lease, end }])
  expect(await finish(sql, [{ lease, end }])).toEqual(first)

  await queue.enqueue()
  const again = await queue.claimOne()
  await finish(sql, [{ lease: again.lease, end: failed }])
  expect(await finish(sql, [{ lease: again.lease, end: failed }])).toEqual({
    finished: [{ lease: again.lease, status: 'queued' }],
    lost: [],
  })
})

test('a job that fails for good keeps its id, status and events, and stands in the dead letters', async () => {
  const jobId = await queue.enqueue({ maxAttempts: 2 })
  for (const attempt of [1, 2]) {
    const job = await queue.claimOne()
    expect(job.attempt).toBe(attempt)
    await finish(sql, [{ lease: job.lease, end: failed }])
  }
  expect(await readJob(sql, jobId)).toMatchObject({
    status: 'failed',
    errorCode: 'boom',
    errorSummary: failed.message,
  })
  const letters = await sql`select original_job_id, attempts, error_code from job_server.dead_letters`
  expect([...letters]).toEqual([{ originalJobId: jobId, attempts: 2, errorCode: 'boom' }])
})

test('an interrupted attempt is not charged', async () => {
  const jobId = await queue.enqueue({ maxAttempts: 1 })
  const { lease } = await queue.claimOne()
  await finish(sql, [{ lease, end: { kind: 'interrupted' } }])
  expect(await readJob(sql, jobId)).toMatchObject({ status: 'queued', attempts: 0 })
  expect(await queue.claimOne()).toMatchObject({ attempt: 1 })
})

describe('a job that takes its process down', () => {
  const crash = { ...failed, crashed: true }
  const crashTwice = async () => {
    for (let time = 0; time < 2; time++)
      await finish(sql, [{ lease: (await queue.claimOne()).lease, end: crash }])
  }

  test('three times fails, whatever its attempts', async () => {
    const jobId = await queue.enqueue({ maxAttempts: 100 })
    await crashTwice()
    await finish(sql, [{ lease: (await queue.claimOne()).lease, end: crash }])
    expect(await readJob(sql, jobId)).toMatchObject({ status: 'failed', attempts: 3 })
  })

  test.each([
    {
      between: 'asks for a later time',
      endAs: (lease: Lease) => finish(sql, [{ lease, end: { kind: 'snoozed', seconds: 0 } }]),
    },
    {
      between: 'waits for children',
      endAs: (lease: Lease) => finishWithChildren(sql, lease, { jobs: [], onFailure: 'fail' }),
    },
  ])('and $between in between may do so twice again', async ({ endAs }) => {
    const jobId = await queue.enqueue({ maxAttempts: 100 })
    await crashTwice()
    await endAs((await queue.claimOne()).lease)
    await crashTwice()
    expect(await readJob(sql, jobId)).toMatchObject({ status: 'queued', attempts: 4 })
    await finish(sql, [{ lease: (await queue.claimOne()).lease, end: crash }])
    expect(await readJob(sql, jobId)).toMatchObject({ status: 'failed' })
  })
})

test('cancel beats success and retry', async () => {
  for (const end of [{ kind: 'succeeded', result: 1 }, failed] satisfies End[]) {
    const jobId = await queue.enqueue()
    const { lease } = await queue.claimOne()
    expect(await cancel(sql, jobId)).toEqual({ kind: 'cancelling' })
    expect((await heartbeat(sql, [lease], { leaseSeconds: 60 })).cancelling).toEqual([lease])
    await finish(sql, [{ lease, end }])
    expect(await readJob(sql, jobId)).toMatchObject({ status: 'cancelled', result: null })
  }
})

test('a cancel that was committed while the end waited for the row is seen by the end', async () => {
  const jobId = await queue.enqueue()
  const { lease } = await queue.claimOne()
  const asked = Promise.withResolvers<void>()
  const held = Promise.withResolvers<void>()
  const holding = sql.begin(async (tx) => {
    await tx`update job_server.jobs set cancel_requested_at = now() where id = ${jobId}`
    asked.resolve()
    await held.promise
  })
  await asked.promise
  const ending = finish(sql, [{ lease, end: { kind: 'succeeded', result: null } }])
  await waitsForLock(sql)
  held.resolve()
  await holding
  expect((await ending).finished).toMatchObject([{ lease, status: 'cancelled' }])
})

test('of jobs that succeed at once, one that was to be cancelled is cancelled', async () => {
  await queue.enqueue()
  await queue.enqueue()
  const [first, second] = await queue.claim({ limit: 2 })
  if (first === undefined || second === undefined) throw new Error('two jobs were to be claimed')
  await cancel(sql, second.lease.jobId)
  const { finished } = await finish(
    sql,
    [first, second].map(({ lease }) => ({ lease, end: { kind: 'succeeded', result: null } })),
  )
  expect(finished).toContainEqual({ lease: first.lease, status: 'succeeded' })
  expect(finished).toContainEqual(expect.objectContaining({ lease: second.lease, status: 'cancelled' }))
})
