/** What was sent to webhooks, and sending it again. Its fixed paths stand before that of one webhook. */
import { Hono } from 'hono'
import { z } from 'zod'
import { DeliveryNotFound, WebhookNotFound } from '../../core/errors.ts'
import { deliveryStatuses, listDeliveries, readDelivery } from '../../core/webhooks/deliveries.ts'
import { readWebhook } from '../../core/webhooks/read.ts'
import { redeliver, sendTest } from '../../core/webhooks/redeliver.ts'
import type { ApiEnv, AppDependencies } from '../app.ts'
import { cursor, cursorBehind } from '../cursor.ts'
import { operation } from '../openapi/operation.ts'
import { id, queryInteger, validate } from '../validate.ts'
import { exampleId } from './job-answers.ts'
import {
  DeliveryAnswer,
  exampleDelivery,
  exampleWholeDelivery,
  viewDelivery,
  viewWholeDelivery,
  WholeDeliveryAnswer,
} from './webhook-answers.ts'
import { WebhookParam } from './webhooks.ts'

const page = { limit: queryInteger(1, 1000).default(100), cursor: cursor.optional() }
const ListQuery = z.strictObject({ ...page, status: z.enum(deliveryStatuses).optional() })
const JobQuery = z.strictObject({ ...page, jobId: id })
const DeliveryParam = WebhookParam.extend({ deliveryId: id })

const listAnswer = {
  description: 'A page, newest first.',
  schema: z.object({ deliveries: z.array(DeliveryAnswer), nextCursor: z.string().nullable() }),
  example: { deliveries: [exampleDelivery], nextCursor: null },
}
const enqueuedAnswer = {
  description: 'The delivery is queued.',
  schema: z.object({ deliveryId: z.uuid() }),
  example: { deliveryId: exampleId },
}

export function webhookDeliveryRoutes({ sql, config }: AppDependencies) {
  const list = async (
    filter: Parameters<typeof listDeliveries>[1],
    { limit, cursor: after }: { limit: number; cursor?: string | undefined },
  ) => {
    const { deliveries, nextAfter } = await listDeliveries(sql, filter, { limit, after })
    return {
      deliveries: deliveries.map(viewDelivery),
      nextCursor: nextAfter === null ? null : cursorBehind(nextAfter),
    }
  }
  return new Hono<ApiEnv>()
    .get(
      '/deliveries',
      operation({
        summary: 'List what was sent about a job',
        description: 'To any webhook, and to the webhookUrl of the job.',
        answers: { 200: listAnswer },
      }),
      validate('query', JobQuery),
      async (c) => {
        const { jobId, ...rest } = c.req.valid('query')
        return c.json(await list({ jobId }, rest))
      },
    )
    .get(
      '/:webhookId/deliveries',
      operation({
        summary: 'List what was sent to a webhook',
        answers: { 200: listAnswer },
        problems: ['webhook_not_found'],
      }),
      validate('param', WebhookParam),
      validate('query', ListQuery),
      async (c) => {
        const { webhookId } = c.req.valid('param')
        if ((await readWebhook(sql, webhookId)) === null) throw new WebhookNotFound(webhookId)
        const { status, ...rest } = c.req.valid('query')
        return c.json(await list({ webhookId, status }, rest))
      },
    )
    .get(
      '/:webhookId/deliveries/:deliveryId',
      operation({
        summary: 'Read a delivery, what it sends and what was answered',
        answers: {
          200: { description: 'The delivery.', schema: WholeDeliveryAnswer, example: exampleWholeDelivery },
        },
        problems: ['delivery_not_found'],
      }),
      validate('param', DeliveryParam),
      async (c) => {
        const { webhookId, deliveryId } = c.req.valid('param')
        const delivery = await readDelivery(sql, webhookId, deliveryId)
        if (delivery === null) throw new DeliveryNotFound(webhookId, deliveryId)
        return c.json(viewWholeDelivery(delivery))
      },
    )
    .post(
      '/:webhookId/deliveries/:deliveryId/redeliver',
      operation({
        summary: 'Send a delivery again',
        description: 'As a new delivery with the same message id and body.',
        answers: { 202: enqueuedAnswer },
        problems: ['webhook_not_found', 'delivery_not_found', 'webhook_disabled'],
      }),
      validate('param', DeliveryParam),
      async (c) => {
        const { webhookId, deliveryId } = c.req.valid('param')
        const retrySeconds = config.WEBHOOK_RETRY_SECONDS
        return c.json({ deliveryId: await redeliver(sql, webhookId, deliveryId, { retrySeconds }) }, 202)
      },
    )
    .post(
      '/:webhookId/test',
      operation({
        summary: 'Send a message to try the endpoint',
        description: 'Of the type webhook.test, once, whatever the webhook listens to.',
        answers: { 202: enqueuedAnswer },
        problems: ['webhook_not_found', 'webhook_disabled'],
      }),
      validate('param', WebhookParam),
      async (c) => c.json({ deliveryId: await sendTest(sql, c.req.valid('param').webhookId) }, 202),
    )
}
