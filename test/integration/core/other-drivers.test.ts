import pg from 'pg'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { enqueueJob, enqueueJobs, type QueryClient, type QueryValue } from '../../../core/client.ts'
import { DependencyFailed, IdempotencyConflict, InvalidParams, SourceGone } from '../../../core/errors.ts'
import { defineJob } from '../../../core/job.ts'
import type { ClaimedJob } from '../../../core/queue/claim.ts'
import { finish } from '../../../core/queue/finish.ts'
import { readJob } from '../../../core/queue/read.ts'
import { beginReceiving } from '../../../core/uploads/receive.ts'
import { testDatabase } from '../../support/database.ts'
import { failedWith, testQueue } from '../../support/queue.ts'

const sendInvoice = defineJob({
  key: 'send.invoice',
  params: z.strictObject({ orderId: z.int(), note: z.string().optional() }),
  run: () => null,
})

const { sql, url } = await testDatabase()
const queue = await testQueue(sql, {
  key: sendInvoice.key,
  paramsSchema: z.toJSONSchema(sendInvoice.params, { io: 'input' }) as never,
})
await sql`create table orders (id int primary key)`
const pool = new pg.Pool({ connectionString: url, max: 2 })
afterAll(() => pool.end())

beforeEach(async () => {
  await sql`truncate job_server.jobs, job_server.idempotency_keys, orders`
})

async function inTransaction<Result>(run: (client: pg.PoolClient) => Promise<Result>): Promise<Result> {
  const client = await pool.connect()
  try {
    await client.query('begin')
    const result = await run(client)
    await client.query('commit')
    return result
  } catch (error) {
    await client.query('rollback')
    throw error
  } finally {
    client.release()
  }
}

test('a job comes and goes with the transaction that enqueues it', async () => {
  const failing = inTransaction(async (client) => {
    await client.query('insert into orders values (1)')
    await enqueueJob(client, sendInvoice, { orderId: 1 })
    throw new Error('out of stock')
  })
  await expect(failing).rejects.toThrow('out of stock')
  expect(await queue.claim()).toEqual([])

  const { job } = await inTransaction(async (client) => {
    await client.query('insert into orders values (1)')
    const enqueued = await enqueueJob(client, sendInvoice, { orderId: 1 })
    expect(await queue.claim()).toEqual([])
    return enqueued
  })
  expect(await queue.claimOne()).toMatchObject({ lease: { jobId: job.id }, params: { orderId: 1 } })
})

test('whatever is said of a job arrives as it was said', async () => {
  const note = `"quoted", \\ {1} $1 it's ünï 🎬`
  const scheduledAt = new Date(Date.now() + 3_600_000)
  const said = { queue: 'q {"', priority: -3, maxAttempts: 7, tags: ['a,b', '"c" \\'], metadata: { note } }
  const { job } = await inTransaction((client) =>
    enqueueJob(client, sendInvoice, { orderId: 1, note }, { ...said, scheduledAt, timeoutSeconds: 1.5 }),
  )
  expect(await readJob(sql, job.id)).toMatchObject({ ...said, params: { orderId: 1, note }, scheduledAt })
})

test('keys, conflicts, dependencies and refusals are as everywhere', async () => {
  const enqueue = (orderId: number, options: Parameters<typeof enqueueJob>[3]) =>
    inTransaction((client) => enqueueJob(client, sendInvoice, { orderId }, options))
  const first = await enqueue(1, { idempotencyKey: 'k' })
  expect(await enqueue(1, { idempotencyKey: 'k' })).toEqual({ ...first, created: false })
  await expect(enqueue(2, { idempotencyKey: 'k' })).rejects.toThrow(IdempotencyConflict)
  await expect(enqueue('one' as never, {})).rejects.toThrow(InvalidParams)
  const unique = await enqueue(3, { uniqueFor: 60 })
  expect(await enqueue(3, { uniqueFor: 60 })).toEqual({ ...unique, created: false })

  const later = await enqueue(4, { dependsOn: [first.job.id, unique.job.id], priority: 9 })
  const claimed = await queue.claim({ limit: 5 })
  expect(claimed.map(({ lease }) => lease.jobId)).toEqual([first.job.id, unique.job.id])
  await finish(sql, [
    { lease: (claimed[0] as ClaimedJob).lease, end: { ...failedWith('wrong'), retry: false } },
  ])
  expect(await readJob(sql, later.job.id)).toMatchObject({ status: 'cancelled' })
  await expect(enqueue(5, { dependsOn: [first.job.id] })).rejects.toThrow(DependencyFailed)
})

test('a job is not enqueued for an upload that is gone', async () => {
  const { id, objectKey } = await beginReceiving(sql, { filename: 'a.mp4', contentType: 'video/mp4' })
  const read = () =>
    inTransaction((client) => enqueueJob(client, sendInvoice, { orderId: 1, note: objectKey }))
  await read()
  await sql`update job_server.uploads set bytes_removed_at = now() where id = ${id}`
  await expect(read()).rejects.toThrow(SourceGone)
  expect(await queue.claim({ limit: 5 })).toHaveLength(1)
})

test('many are enqueued at once, or none', async () => {
  const enqueued = await inTransaction((client) =>
    enqueueJobs(client, sendInvoice, [
      { params: { orderId: 1 }, options: { idempotencyKey: 'a' } },
      { params: { orderId: 2 }, options: { idempotencyKey: 'b', priority: 5 } },
    ]),
  )
  const claimed = await queue.claim({ limit: 5 })
  expect(claimed.map(({ lease }) => lease.jobId)).toEqual([enqueued[1]?.job.id, enqueued[0]?.job.id])
  const conflicting = inTransaction((client) =>
    enqueueJobs(client, sendInvoice, [
      { params: { orderId: 3 } },
      { params: { orderId: 4 }, options: { idempotencyKey: 'a' } },
    ]),
  )
  await expect(conflicting).rejects.toThrow(IdempotencyConflict)
  expect(await queue.claim()).toEqual([])
})

test('without a transaction a single job is enqueued, and what needs one is refused before anything is written', async () => {
  const { job } = await enqueueJob(pool, sendInvoice, { orderId: 1 }, { idempotencyKey: 'k' })
  expect((await queue.claimOne()).lease.jobId).toBe(job.id)
  const refusal = /needs a client on which a transaction is open/
  const dependent = enqueueJob(pool, sendInvoice, { orderId: 2 }, { dependsOn: [job.id] })
  await expect(dependent).rejects.toThrow(refusal)
  const keyed = ['a', 'b'].map((idempotencyKey) => ({ params: { orderId: 3 }, options: { idempotencyKey } }))
  await expect(enqueueJobs(pool, sendInvoice, keyed)).rejects.toThrow(refusal)
  expect(await queue.claim()).toEqual([])
})

test('a driver gets plain values, each at one place and in order, so that other libraries can take the text apart', async () => {
  const seen: { text: string; values: QueryValue[] }[] = []
  await inTransaction(async (client) => {
    const watched: QueryClient = {
      query: (text, values) => {
        seen.push({ text, values })
        return client.query(text, values)
      },
    }
    const { job } = await enqueueJob(watched, sendInvoice, { orderId: 1, note: '$7' })
    await enqueueJob(watched, sendInvoice, { orderId: 2 }, { dependsOn: [job.id], idempotencyKey: 'k' })
    await enqueueJob(watched, sendInvoice, { orderId: 2 }, { dependsOn: [job.id], idempotencyKey: 'k' })
  })
  expect(seen.length).toBeGreaterThan(8)
  for (const { text, values } of seen) {
    expect(text.match(/\$\w*/g) ?? []).toEqual(values.map((_value, place) => `$${place + 1}`))
    for (const value of values) expect(['string', 'number', 'boolean']).toContain(typeof value)
  }
})

test("a driver that sends values in PostgreSQL's own form serves as well", async () => {
  const bun = new Bun.SQL(url)
  const { job } = await bun.begin(async (tx) => {
    const client: QueryClient = {
      query: async (text, values) => ({ rows: await tx.unsafe(text, values) }),
    }
    const first = await enqueueJob(client, sendInvoice, { orderId: 1 }, { delaySeconds: 0.5, tags: ['a"b'] })
    return await enqueueJob(client, sendInvoice, { orderId: 2, note: '{}' }, { dependsOn: [first.job.id] })
  })
  const alone: QueryClient = {
    query: async (text, values) => ({ rows: await bun.unsafe(text, values) }),
  }
  const refused = enqueueJob(alone, sendInvoice, { orderId: 3 }, { dependsOn: [job.id] })
  await expect(refused).rejects.toThrow(/a transaction is open/)
  await bun.end()
  expect(await readJob(sql, job.id)).toMatchObject({ status: 'queued', params: { orderId: 2, note: '{}' } })
})

test('a driver that declares text as text serves as well', async () => {
  // As Prisma's does: PostgreSQL does not take it for anything else of its own accord.
  const declaring = (client: pg.PoolClient): QueryClient => ({
    query: (text, values) =>
      client.query(
        text.replaceAll(/\$(\d+)/g, (place, number) =>
          typeof values[number - 1] === 'string' ? `(${place}::text)` : place,
        ),
        values,
      ),
  })
  const enqueue = (options: Parameters<typeof enqueueJob>[3]) =>
    inTransaction((client) => enqueueJob(declaring(client), sendInvoice, { orderId: 1 }, options))
  const first = await enqueue({ idempotencyKey: 'k' })
  expect(await enqueue({ idempotencyKey: 'k' })).toEqual({ ...first, created: false })
  const dependent = { dependsOn: [first.job.id], uniqueFor: 60, delaySeconds: 60, tags: ['a'] }
  const second = await enqueue(dependent)
  expect(await enqueue(dependent)).toEqual({ ...second, created: false })
  // Of a job that no table has any more.
  await sql`delete from job_server.jobs`
  const later = await enqueue({ idempotencyKey: 'k' })
  expect(later).toEqual({ job: { id: first.job.id, status: 'succeeded' }, created: false })
})
