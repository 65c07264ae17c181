import { expect, test } from 'vitest'
import { z } from 'zod'
import { defineJob, type JobContext, jobOf } from '../../../core/job.ts'
import { runJob } from '../../../core/testing/run-job.ts'

const sendInvoice = defineJob({
  key: 'send.invoice',
  version: 2,
  params: z.strictObject({ orderId: z.int(), copies: z.int().default(1) }),
  run: () => null,
})

const OrderParams = z.object({ orderId: z.int() })
const order = defineJob({
  key: 'order',
  params: OrderParams,
  async run({ orderId }, context) {
    const invoice = { ...jobOf(sendInvoice, { orderId }), idempotencyKey: context.jobId }
    await context.enqueue(invoice)
    if (orderId > 1) await context.enqueue(jobOf({ key: 'order', params: OrderParams }, { orderId: 1 }))
    return context.enqueueChildren([{ ...jobOf(sendInvoice, { orderId, copies: 2 }), priority: 3 }])
  },
})

test('a job enqueues others, children and itself by what defines them', async () => {
  const run = await runJob(order, { orderId: 7 })
  const invoice = { definitionKey: 'send.invoice', definitionVersion: 2 }
  expect(run.enqueued).toEqual([
    { ...invoice, params: { orderId: 7 }, idempotencyKey: run.enqueued[0]?.idempotencyKey },
    { definitionKey: 'order', definitionVersion: 1, params: { orderId: 1 } },
  ])
  expect(run.outcome).toEqual({
    kind: 'waits',
    children: [{ ...invoice, params: { orderId: 7, copies: 2 }, priority: 3 }],
    onFailure: 'fail',
  })
})

test('parameters are typed by the definition, and what stands beside them by what is enqueued', () => {
  // Only checked, never run.
  const careless = async (context: JobContext) => {
    // @ts-expect-error a text is no number
    jobOf(sendInvoice, { orderId: '7' })
    // @ts-expect-error the order is missing
    jobOf(sendInvoice, {})
    // @ts-expect-error the schema has no such parameter
    jobOf(sendInvoice, { orderId: 7, copy: 2 })
    // @ts-expect-error misspelt
    await context.enqueue({ ...jobOf(sendInvoice, { orderId: 7 }), priorty: 3 })
    // @ts-expect-error for children only
    await context.enqueue({ ...jobOf(sendInvoice, { orderId: 7 }), temporaryOutputs: true })
    // @ts-expect-error not for children
    context.enqueueChildren([{ ...jobOf(sendInvoice, { orderId: 7 }), idempotencyKey: 'k' }])
  }
  expect(careless).toBeInstanceOf(Function)
})
