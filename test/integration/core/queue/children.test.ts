import { afterEach, expect, test } from 'vitest'
import { cancel } from '../../../../core/queue/cancel.ts'
import { readChildren } from '../../../../core/queue/children.ts'
import type { ClaimedJob } from '../../../../core/queue/claim.ts'
import { finish, finishWithChildren } from '../../../../core/queue/finish.ts'
import { heartbeat } from '../../../../core/queue/heartbeat.ts'
import { readJob } from '../../../../core/queue/read.ts'
import { sweep } from '../../../../core/queue/release.ts'
import { removeJob } from '../../../../core/queue/remove.ts'
import { before } from '../../../support/before.ts'
import { testDatabase, waitsForLock } from '../../../support/database.ts'
import { failedWith, testQueue } from '../../../support/queue.ts'
import { testStorage } from '../../../support/storage.ts'

const { sql } = await testDatabase()
const { storage } = await testStorage()
const queue = await testQueue(sql)

afterEach(async () => {
  await sql`truncate job_server.jobs`
})

const jobs = (count: number) =>
  Array.from({ length: count }, (_, part) => ({ definitionKey: 'test', params: { part } }))
const failed = { ...failedWith('x'), retry: false }
const succeed = async (job: ClaimedJob) => {
  await finish(sql, [{ lease: job.lease, end: { kind: 'succeeded', result: job.params } }])
}

async function parentWithChildren(count: number, onFailure: 'fail' | 'continue' = 'fail') {
  const parentId = await queue.enqueue({ maxAttempts: 1 })
  const { lease } = await queue.claimOne()
  expect(await finishWithChildren(sql, lease, { jobs: jobs(count), onFailure })).toEqual({
    lease,
    status: 'queued',
  })
  return parentId
}

test('a parent waits without a lease, and goes on with the results once all children have ended', async () => {
  const parentId = await parentWithChildren(3)
  const children = await queue.claim({ limit: 10 })
  expect(children).toHaveLength(3)
  for (const child of children) {
    expect(await readJob(sql, parentId)).toMatchObject({ status: 'queued', attempts: 0, workerId: null })
    await succeed(child)
  }
  const parent = await queue.claimOne()
  expect(parent).toMatchObject({ attempt: 1, lease: { jobId: parentId } })
  const ends = await readChildren(sql, parentId, parent.childrenSince ?? new Date())
  expect(ends.map(({ status, result }) => ({ status, result }))).toEqual(
    [0, 1, 2].map((part) => ({ status: 'succeeded', result: { part } })),
  )
})

test('children that end at the same moment wake their parent once', async () => {
  for (let round = 0; round < 10; round++) {
    const parentId = await parentWithChildren(8)
    const children = await queue.claim({ limit: 10 })
    await Promise.all(children.map(succeed))
    const woken = await queue.claim({ limit: 10 })
    expect(woken.map(({ lease }) => lease.jobId)).toEqual([parentId])
    for (const job of woken) await succeed(job)
  }
})

test('by default a child that fails fails its parent, and the other children are cancelled', async () => {
  const parentId = await parentWithChildren(3)
  const [first, second] = await queue.claim({ limit: 2 })
  if (first === undefined || second === undefined) throw new Error('no children')
  await finish(sql, [{ lease: first.lease, end: failed }])
  expect(await readJob(sql, parentId)).toMatchObject({
    status: 'failed',
    errorCode: 'child_failed',
    errorSummary: `The child job ${first.lease.jobId} did not succeed.`,
  })
  expect((await heartbeat(sql, [second.lease], { leaseSeconds: 60 })).cancelling).toEqual([second.lease])
  expect(await queue.claim({ limit: 10 })).toEqual([])
})

test('a parent that wants to know goes on with the failures among the results', async () => {
  const parentId = await parentWithChildren(2, 'continue')
  const [first, second] = await queue.claim({ limit: 2 })
  if (first === undefined || second === undefined) throw new Error('no children')
  await finish(sql, [{ lease: first.lease, end: failed }])
  await succeed(second)
  const parent = await queue.claimOne()
  const ends = await readChildren(sql, parentId, parent.childrenSince ?? new Date())
  expect(ends.map(({ status, errorCode }) => [status, errorCode])).toEqual([
    ['failed', 'x'],
    ['succeeded', null],
  ])
})

test('a child that has ended can not be removed before its parent has', async () => {
  const parentId = await parentWithChildren(2)
  const children = await queue.claim({ limit: 2 })
  const remove = () => Promise.all(children.map(({ lease }) => removeJob(sql, storage, lease.jobId)))
  const needed = { kind: 'needed_by', parentId }
  const [first, second] = children
  if (first === undefined || second === undefined) throw new Error('no children')
  await succeed(first)
  expect(await remove()).toEqual([needed, { kind: 'not_finished', status: 'running' }])
  await succeed(second)
  const parent = await queue.claimOne()
  expect(await remove(), 'it may have to go on once more').toEqual([needed, needed])
  expect(await readChildren(sql, parentId, parent.childrenSince ?? new Date())).toHaveLength(2)
  await succeed(parent)
  expect(await remove()).toEqual([{ kind: 'removed' }, { kind: 'removed' }])
  expect(await readJob(sql, first.lease.jobId)).toBeNull()
})

test('cancelling a waiting parent cancels its children, and theirs', async () => {
  const parentId = await parentWithChildren(1)
  const child = await queue.claimOne()
  await finishWithChildren(sql, child.lease, { jobs: jobs(2), onFailure: 'fail' })
  expect(await cancel(sql, parentId)).toEqual({ kind: 'cancelled' })
  expect(await readJob(sql, child.lease.jobId)).toMatchObject({
    status: 'cancelled',
    errorCode: 'parent_ended',
  })
  const live = await sql`select id from job_server.jobs`
  expect([...live]).toEqual([])
})

test('children that run are asked to stop in the order in which ends are written', async () => {
  const parentId = await parentWithChildren(2)
  const [first, second] = (await queue.claim({ limit: 2 })).map(({ lease }) => lease.jobId).sort()
  // Its row and its entries in indexes stand behind those of the other one now.
  await sql`update job_server.jobs set lease_expires_at = lease_expires_at + interval '1 second' where id = ${first ?? ''}`
  const holder = await sql.reserve()
  await holder`begin`
  await holder`select from job_server.jobs where id = ${first ?? ''} for update`
  const cancelling = cancel(sql, parentId)
  await waitsForLock(sql)
  await holder`select from job_server.jobs where id = ${second ?? ''} for update nowait`
  await holder`commit`
  holder.release()
  expect(await cancelling).toEqual({ kind: 'cancelled' })
  for (const jobId of [first, second]) {
    expect(await readJob(sql, jobId ?? '')).toMatchObject({ status: 'cancelling' })
  }
})

test('without children the parent goes on at once', async () => {
  const parentId = await parentWithChildren(0)
  expect((await queue.claimOne()).lease.jobId).toBe(parentId)
})

test('a child that can not be enqueued leaves the parent running and no other child', async () => {
  const parentId = await queue.enqueue()
  const { lease } = await queue.claimOne()
  const bad = [...jobs(1), { definitionKey: 'nope' }]
  await expect(finishWithChildren(sql, lease, { jobs: bad, onFailure: 'fail' })).rejects.toThrow('nope')
  expect(await readJob(sql, parentId)).toMatchObject({ status: 'running' })
  expect(await queue.claim()).toEqual([])
})

test('a lost lease enqueues no children', async () => {
  await queue.enqueue()
  const { lease } = await queue.claimOne()
  const lost = await finishWithChildren(sql, { ...lease, epoch: '1' }, { jobs: jobs(1), onFailure: 'fail' })
  expect(lost).toBe('lost')
  expect(await queue.claim()).toEqual([])
})

test('what a process that died between an end and its consequences left waiting is swept up', async () => {
  const parentId = await parentWithChildren(1)
  const child = await queue.claimOne()
  // The end is written, but nothing follows from it.
  await sql`
    with gone as (delete from job_server.jobs where id = ${child.lease.jobId} returning *)
    insert into job_server.job_history (
      id, definition_key, definition_version, queue, status, priority, attempts, max_attempts, crash_count,
      timeout_seconds, parent_id, params, queued_at, finished_at
    )
    select id, definition_key, definition_version, queue, 'succeeded', priority, attempts, max_attempts, crash_count,
      timeout_seconds, parent_id, params, queued_at, now()
    from gone`
  expect(await queue.claim()).toEqual([])
  await sweep(sql)
  expect((await queue.claimOne()).lease.jobId).toBe(parentId)
})

/** The first ends and is followed up; in the middle of that, between two statements, the second fails. */
async function endTogether(one: ClaimedJob, other: ClaimedJob): Promise<void> {
  const hasFailed = Promise.withResolvers<void>()
  const isFollowedUp = Promise.withResolvers<void>()
  let failing: Promise<unknown> = Promise.resolve()
  const failOther = async () => {
    const afterEnd = async () => {
      hasFailed.resolve()
      await isFollowedUp.promise
    }
    failing = finish(before(sql, /select distinct job_id/, afterEnd), [{ lease: other.lease, end: failed }])
    await hasFailed.promise
  }
  const end = { kind: 'succeeded', result: null } as const
  await finish(before(sql, /with released as/, failOther), [{ lease: one.lease, end }])
  isFollowedUp.resolve()
  await failing
}

async function claimTwo(): Promise<[ClaimedJob, ClaimedJob]> {
  const [one, other] = await queue.claim({ limit: 2 })
  if (one === undefined || other === undefined) throw new Error('there are not two jobs')
  return [one, other]
}

test('a child that fails while the end of another is followed up fails the parent', async () => {
  const parentId = await parentWithChildren(2)
  await endTogether(...(await claimTwo()))
  expect(await readJob(sql, parentId)).toMatchObject({ status: 'failed', errorCode: 'child_failed' })
})

test('what depends on a job that fails while the end of another is followed up does not run', async () => {
  const dependsOn = [await queue.enqueue(), await queue.enqueue()]
  const dependent = await queue.enqueue({ dependsOn })
  await endTogether(...(await claimTwo()))
  const broken = await readJob(sql, dependent)
  expect(broken).toMatchObject({ status: 'cancelled', errorCode: 'dependency_failed' })
  const ended = await Promise.all(dependsOn.map((id) => readJob(sql, id)))
  const culprit = ended.find((job) => job?.status === 'failed')
  expect(broken?.errorSummary).toBe(`The job ${culprit?.jobId}, which this one depends on, did not succeed.`)
})
