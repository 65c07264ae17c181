import { beforeEach, describe, expect, test } from 'vitest'
import { redrive } from '../../../../core/dead-letters/redrive.ts'
import { SourceGone } from '../../../../core/errors.ts'
import { enqueue } from '../../../../core/queue/enqueue.ts'
import { type End, finish } from '../../../../core/queue/finish.ts'
import { removeIdleSources } from '../../../../core/upkeep/idle-sources.ts'
import { testDatabase } from '../../../support/database.ts'
import { failedWith, testQueue } from '../../../support/queue.ts'
import { testStorage } from '../../../support/storage.ts'
import { storeSource } from '../../../support/stored-sources.ts'
import { until } from '../../../support/until.ts'

const { sql } = await testDatabase()
const { storage, keys } = await testStorage()
const queue = await testQueue(sql)
const retention = { retentionDays: 10, historyDays: 30, limit: 10 }
const remove = (options = retention) => removeIdleSources(sql, storage, options)

beforeEach(async () => {
  await sql`truncate job_server.uploads, job_server.source_uses, job_server.jobs, job_server.job_history, job_server.dead_letters`
  for (const key of await keys()) await storage.remove(key)
})

/** A job that read the source and ended so many days ago. */
async function usedBefore(params: { source: { key: string } }, daysAgo: number, end: End): Promise<string> {
  const jobId = await queue.enqueue({ params, maxAttempts: 1 })
  const { lease } = await queue.claimOne()
  await finish(sql, [{ lease, end }])
  await sql`update job_server.job_history set finished_at = now() - make_interval(days => ${daysAgo}::int) where id = ${jobId}`
  await sql`update job_server.dead_letters set moved_to_dlq_at = now() - make_interval(days => ${daysAgo}::int) where original_job_id = ${jobId}`
  return jobId
}

const succeeded: End = { kind: 'succeeded', result: null }

test('an upload that nothing ever used goes when its time is over, and no other', async () => {
  await storeSource(sql, storage, 11)
  const young = await storeSource(sql, storage, 9)
  expect(await remove()).toEqual({ removed: 1, inUse: 0 })
  expect(await keys()).toEqual([young.key])
  expect(await remove()).toEqual({ removed: 0, inUse: 0 })
})

describe('a source stays for as long after its last use as an unused one after its completion', () => {
  test.each<[string, End]>([
    ['succeeded', succeeded],
    ['cancelled', { kind: 'cancelled' }],
  ])('when the job %s', async (_what, end) => {
    const before = await storeSource(sql, storage, 100)
    const lately = await storeSource(sql, storage, 100)
    await usedBefore(before.params, 11, end)
    await usedBefore(lately.params, 11, end)
    await usedBefore(lately.params, 9, end)
    expect(await remove()).toEqual({ removed: 1, inUse: 1 })
    expect(await keys()).toEqual([lately.key])
    // It is not looked at again before its time.
    expect(await remove()).toEqual({ removed: 0, inUse: 0 })
  })

  test('a job that lives keeps its source, whatever its age', async () => {
    const { key, params } = await storeSource(sql, storage, 100)
    await queue.enqueue({ params, delaySeconds: 3600 })
    expect(await remove()).toEqual({ removed: 0, inUse: 1 })
    expect(await keys()).toEqual([key])
  })

  test('so does a schedule, and a job that only lays it over its video', async () => {
    const scheduled = await storeSource(sql, storage, 100)
    const picture = await storeSource(sql, storage, 100)
    await queue.enqueue({ params: { watermark: { key: picture.key, corner: 'top-left' } } })
    await sql`
      insert into job_server.schedules (id, name, definition_key, definition_version, expression, params)
      values (gen_random_uuid(), 'monthly', 'test', 1, '0 0 1 * *', ${sql.json(scheduled.params)})`
    expect(await remove()).toEqual({ removed: 0, inUse: 2 })
    await sql`delete from job_server.schedules`
  })
})

describe('the source of a job that failed for good', () => {
  test('stays while history does, so that the job can be redriven, and then as long as the new job needs it', async () => {
    const { key, params } = await storeSource(sql, storage, 100)
    await usedBefore(params, 29, failedWith('unlucky'))
    expect(await remove()).toEqual({ removed: 0, inUse: 1 })

    const [letter] = await sql<{ id: string }[]>`select id from job_server.dead_letters`
    await redrive(sql, [letter?.id ?? ''])
    await sql`update job_server.uploads set used_at = null`
    expect(await remove()).toEqual({ removed: 0, inUse: 1 })
    expect(await keys()).toEqual([key])

    const again = await queue.claimOne()
    await finish(sql, [{ lease: again.lease, end: succeeded }])
    await sql`update job_server.job_history set finished_at = now() - interval '11 days'`
    await sql`update job_server.uploads set used_at = null`
    expect(await remove()).toEqual({ removed: 1, inUse: 0 })
    expect(await keys()).toEqual([])
  })

  test('goes with history when nobody redrives it', async () => {
    const { params } = await storeSource(sql, storage, 100)
    await usedBefore(params, 31, failedWith('unlucky'))
    expect(await remove()).toEqual({ removed: 1, inUse: 0 })
    expect(await keys()).toEqual([])
  })
})

describe('of a job and a removal that meet', () => {
  test('the job keeps its source when it came first, though it is not committed yet', async () => {
    const { key, params } = await storeSource(sql, storage, 100)
    await sql.begin(async (tx) => {
      await enqueue(tx, { definitionKey: 'test', params })
      expect(await remove()).toEqual({ removed: 0, inUse: 0 })
    })
    expect(await remove()).toEqual({ removed: 0, inUse: 1 })
    expect(await keys()).toEqual([key])
  })

  test('the job waits and is refused when the removal came first, and leaves nothing behind', async () => {
    const { params } = await storeSource(sql, storage, 100)
    const removing = Promise.withResolvers<void>()
    const goOn = Promise.withResolvers<void>()
    const slowly = {
      ...storage,
      remove: async (key: string) => {
        removing.resolve()
        await goOn.promise
        await storage.remove(key)
      },
    }
    const removal = removeIdleSources(sql, slowly, retention)
    await removing.promise
    const refused = expect(enqueue(sql, { definitionKey: 'test', params })).rejects.toThrow(SourceGone)
    await until('the job waits for the removal', async () => {
      const waiting = await sql`
        select from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock' and query like '%for key share%'`
      return waiting.length > 0
    })
    goOn.resolve()
    await refused
    expect(await removal).toEqual({ removed: 1, inUse: 0 })
    expect(await sql`select from job_server.jobs`).toHaveLength(0)
    expect(await sql`select from job_server.source_uses`).toHaveLength(0)
  })

  test('a request that repeats its idempotency key still meets its job when the source is gone', async () => {
    const { params } = await storeSource(sql, storage, 100)
    const input = { definitionKey: 'test', params, idempotencyKey: 'once' }
    const { job } = await enqueue(sql, input)
    const { lease } = await queue.claimOne()
    await finish(sql, [{ lease, end: succeeded }])
    await sql`update job_server.job_history set finished_at = now() - interval '11 days'`
    await remove()
    expect(await keys()).toEqual([])
    expect(await enqueue(sql, input)).toMatchObject({ job: { id: job.id }, created: false })
    await expect(enqueue(sql, { ...input, idempotencyKey: 'twice' })).rejects.toThrow(SourceGone)
  })
})

test('a removal that breaks off is done again by the next', async () => {
  await storeSource(sql, storage, 100)
  await storeSource(sql, storage, 100)
  let removals = 0
  const breaking = {
    ...storage,
    remove: async (key: string) => {
      if (++removals === 2) throw new Error('the storage went away')
      await storage.remove(key)
    },
  }
  await expect(removeIdleSources(sql, breaking, retention)).rejects.toThrow('went away')
  expect(await keys()).toHaveLength(1)
  expect(await remove()).toEqual({ removed: 1, inUse: 0 })
  expect(await keys()).toEqual([])
})
