import postgres from 'postgres'
import { afterAll, beforeEach, describe, expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import { enqueueJob, enqueueJobs } from '../../../core/client.ts'
import { IdempotencyConflict, InvalidParams } from '../../../core/errors.ts'
import { defineJob } from '../../../core/job.ts'
import { readJob } from '../../../core/queue/read.ts'
import { testDatabase } from '../../support/database.ts'
import { testQueue } from '../../support/queue.ts'

const sendInvoice = defineJob({
  key: 'send.invoice',
  params: z.strictObject({ orderId: z.int(), copies: z.int().default(1), paper_size: z.string().optional() }),
  run: () => null,
})

const { sql, url } = await testDatabase()
const queue = await testQueue(sql, {
  key: sendInvoice.key,
  paramsSchema: z.toJSONSchema(sendInvoice.params, { io: 'input' }) as never,
})
await sql`create table orders (id int primary key)`

beforeEach(async () => {
  await sql`truncate job_server.jobs, job_server.idempotency_keys, orders`
})

/** Other programs set up their connections in their own ways. */
describe.each([
  ['as it comes', {}],
  ['with camel-case names', { transform: postgres.camel }],
  ['with transformed names and undefined', { transform: { ...postgres.toCamel, undefined: null } }],
  ['with prepared statements off', { prepare: false }],
])('on a connection %s', (_how, options) => {
  const theirs = postgres(url, { max: 2, onnotice: () => {}, ...options } as postgres.Options<never>)
  afterAll(() => theirs.end({ timeout: 5 }))

  test('a job comes and goes with the transaction that enqueues it', async () => {
    const failing = theirs.begin(async (tx) => {
      await tx`insert into orders values (1)`
      await enqueueJob(tx, sendInvoice, { orderId: 1 })
      throw new Error('out of stock')
    })
    await expect(failing).rejects.toThrow('out of stock')
    expect(await queue.claim()).toEqual([])

    const { job } = await theirs.begin(async (tx) => {
      await tx`insert into orders values (1)`
      return await enqueueJob(tx, sendInvoice, { orderId: 1, paper_size: 'A4' }, { priority: 3 })
    })
    const claimed = await queue.claimOne()
    expect(claimed).toMatchObject({ lease: { jobId: job.id }, params: { orderId: 1, paper_size: 'A4' } })
  })

  test('keys, conflicts, dependencies and refusals are as everywhere', async () => {
    const first = await enqueueJob(theirs, sendInvoice, { orderId: 1 }, { idempotencyKey: 'k' })
    const again = await enqueueJob(theirs, sendInvoice, { orderId: 1 }, { idempotencyKey: 'k' })
    expect(again).toEqual({ ...first, created: false })
    await expect(enqueueJob(theirs, sendInvoice, { orderId: 2 }, { idempotencyKey: 'k' })).rejects.toThrow(
      IdempotencyConflict,
    )
    await expect(enqueueJob(theirs, sendInvoice, { orderId: 'one' as never })).rejects.toThrow(InvalidParams)
    const later = await enqueueJob(theirs, sendInvoice, { orderId: 3 }, { dependsOn: [first.job.id] })
    expect(await readJob(sql, later.job.id)).toMatchObject({ status: 'queued' })
    expect(await queue.claim({ limit: 5 })).toHaveLength(1)
  })

  test('for as long as uniqueFor says, an equal request meets the job', async () => {
    const first = await enqueueJob(theirs, sendInvoice, { orderId: 1 }, { uniqueFor: 60 })
    const again = await enqueueJob(theirs, sendInvoice, { orderId: 1 }, { uniqueFor: 60 })
    expect(again).toEqual({ ...first, created: false })
    const [many] = await enqueueJobs(theirs, sendInvoice, [
      { params: { orderId: 1 }, options: { uniqueFor: 60 } },
    ])
    expect(many).toEqual(again)
  })

  test('many are enqueued at once', async () => {
    const enqueued = await enqueueJobs(theirs, sendInvoice, [
      { params: { orderId: 1 } },
      { params: { orderId: 2 }, options: { priority: 5 } },
    ])
    const claimed = await queue.claim({ limit: 5 })
    expect(claimed.map(({ lease }) => lease.jobId)).toEqual([enqueued[1]?.job.id, enqueued[0]?.job.id])
  })
})

test('an option that there is none of is refused by its name', async () => {
  const misspelt = { uniqueForSeconds: 60, priorty: 1 } as object
  const refusal = /^There is no option uniqueForSeconds, priorty; expected some of .*uniqueFor/
  const single = enqueueJob(sql, sendInvoice, { orderId: 1 }, misspelt)
  await expect(single).rejects.toThrow(TypeError)
  await expect(enqueueJob(sql, sendInvoice, { orderId: 1 }, misspelt)).rejects.toThrow(refusal)
  const among = [{ params: { orderId: 1 } }, { params: { orderId: 2 }, options: misspelt }]
  await expect(enqueueJobs(sql, sendInvoice, among)).rejects.toThrow(refusal)
  const beside = [{ params: { orderId: 1 }, priority: 5 }]
  await expect(enqueueJobs(sql, sendInvoice, beside)).rejects.toThrow('There is no option priority')
  expect(await queue.claim()).toEqual([])
})

test('parameters are typed by the definition', () => {
  expectTypeOf<Parameters<typeof enqueueJob<typeof sendInvoice.params>>[2]>().toEqualTypeOf<{
    orderId: number
    copies?: number | undefined
    paper_size?: string | undefined
  }>()
})
