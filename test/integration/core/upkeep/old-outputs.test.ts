import { beforeEach, expect, test } from 'vitest'
import { newId } from '../../../../core/ids.ts'
import { enqueue } from '../../../../core/queue/enqueue.ts'
import { finish } from '../../../../core/queue/finish.ts'
import { outputKey } from '../../../../core/storage/keys.ts'
import { noteOutputs } from '../../../../core/storage/outputs.ts'
import { removeOldOutputs } from '../../../../core/upkeep/old-outputs.ts'
import { removeOrphans } from '../../../../core/upkeep/orphans.ts'
import { testDatabase } from '../../../support/database.ts'
import { testQueue } from '../../../support/queue.ts'
import { testStorage } from '../../../support/storage.ts'
import { storeBytes, storeSource } from '../../../support/stored-sources.ts'

const { sql } = await testDatabase()
const { storage, keys } = await testStorage()
const queue = await testQueue(sql)
const nothingKept = { retentionDays: 0, limit: 10 }

beforeEach(async () => {
  await sql`truncate job_server.jobs, job_server.job_history, job_server.job_outputs, job_server.source_uses, job_server.uploads`
  for (const key of await keys()) await storage.remove(key)
})

/** A job that wrote two objects and succeeded. */
async function written(): Promise<{ jobId: string; key: string }> {
  const jobId = await queue.enqueue()
  const { lease } = await queue.claimOne()
  await noteOutputs(sql, jobId)
  const key = outputKey(jobId, lease.epoch, 'video.mp4')
  await storeBytes(storage, key)
  await storeBytes(storage, outputKey(jobId, lease.epoch, 'poster.jpg'))
  await finish(sql, [{ lease, end: { kind: 'succeeded', result: null } }])
  return { jobId, key }
}

/** As when the partition of their week is dropped. */
async function dropHistory(...jobIds: string[]): Promise<void> {
  await sql`delete from job_server.job_history where id = any(${jobIds}::uuid[])`
}

test('what a job wrote goes when its history is dropped, and not before', async () => {
  const old = await written()
  const kept = await written()
  expect(await removeOldOutputs(sql, storage, nothingKept)).toBe(0)
  await dropHistory(old.jobId)
  expect(await removeOldOutputs(sql, storage, { ...nothingKept, retentionDays: 30 })).toBe(0)
  expect(await keys()).toHaveLength(4)

  expect(await removeOldOutputs(sql, storage, nothingKept)).toBe(1)
  expect((await keys()).filter((key) => !key.startsWith(`outputs/${kept.jobId}/`))).toEqual([])
  expect(await keys()).toHaveLength(2)
  expect(await removeOldOutputs(sql, storage, nothingKept)).toBe(0)
})

test('what a living job wrote, or reads, stays', async () => {
  const old = await written()
  await dropHistory(old.jobId)
  const reader = await queue.enqueue({ params: { source: { key: old.key } } })
  const { lease } = await queue.claimOne()
  await noteOutputs(sql, reader)
  await storeBytes(storage, outputKey(reader, lease.epoch, 'part.mp4'))
  expect(await removeOldOutputs(sql, storage, nothingKept)).toBe(0)
  expect(await keys()).toHaveLength(3)

  await finish(sql, [{ lease, end: { kind: 'succeeded', result: null } }])
  await dropHistory(reader)
  expect(await removeOldOutputs(sql, storage, nothingKept)).toBe(2)
  expect(await keys()).toEqual([])
})

test('outputs that a job which is not committed yet reads are passed by', async () => {
  const old = await written()
  await dropHistory(old.jobId)
  await sql.begin(async (tx) => {
    await enqueue(tx, { definitionKey: 'test', params: { source: { key: old.key } } })
    expect(await removeOldOutputs(sql, storage, nothingKept)).toBe(0)
  })
  expect(await removeOldOutputs(sql, storage, nothingKept)).toBe(0)
  expect(await keys()).toHaveLength(2)
})

test('rows about jobs that history has forgotten go, and those of others stay', async () => {
  const source = await storeSource(sql, storage, 0)
  const forgotten = await queue.enqueue({ params: source.params })
  const { lease } = await queue.claimOne()
  await finish(sql, [{ lease, end: { kind: 'succeeded', result: null } }])
  const alive = await queue.enqueue({ params: source.params })
  for (const videoId of [forgotten, alive]) {
    await sql`insert into job_server.video_additions (video_id, job_id) values (${videoId}, ${newId()})`
  }
  await dropHistory(forgotten)
  expect(await removeOrphans(sql, { retentionDays: 0 })).toEqual({
    history: 0,
    uses: 1,
    additions: 1,
    uploads: 0,
  })
  expect(await sql`select job_id from job_server.source_uses`).toEqual([{ jobId: alive }])
  expect(await sql`select video_id from job_server.video_additions`).toEqual([{ videoId: alive }])
})

test('history of jobs that came too late for their partition goes too when its time is over', async () => {
  const jobId = await queue.enqueue()
  const { lease } = await queue.claimOne()
  // It was enqueued in a week whose partition is long gone.
  const longAgo = '01900000-0000-7000-8000-000000000001'
  await sql`update job_server.jobs set id = ${longAgo} where id = ${jobId}`
  await finish(sql, [{ lease: { ...lease, jobId: longAgo }, end: { kind: 'succeeded', result: null } }])
  expect(await removeOrphans(sql, { retentionDays: 30 })).toMatchObject({ history: 0 })
  expect(await sql`select from job_server.events where job_id = ${longAgo}`).not.toHaveLength(0)

  await sql`update job_server.job_history set finished_at = now() - interval '31 days' where id = ${longAgo}`
  expect(await removeOrphans(sql, { retentionDays: 30 })).toMatchObject({ history: 1 })
  expect(await sql`select from job_server.events where job_id = ${longAgo}`).toHaveLength(0)
  expect(await sql`select from job_server.attempts where job_id = ${longAgo}`).toHaveLength(0)
})
