/** What is answered about webhooks, for the document and for the tests that hold the answers against it. */
import { z } from 'zod'
import { type Delivery, deliveryStatuses, type WholeDelivery } from '../../core/webhooks/deliveries.ts'
import { disabledReasons, type Webhook, webhookEventTypes } from '../../core/webhooks/row.ts'
import { exampleId } from './job-answers.ts'

const moment = z.iso.datetime()
const momentOrNull = moment.nullable()

export const eventTypes = z
  .array(z.enum(webhookEventTypes))
  .describe('What it is told of; job.succeeded, job.failed and job.cancelled unless it says otherwise.')

export const WebhookAnswer = z
  .object({
    webhookId: z.uuid(),
    url: z.string(),
    description: z.string().nullable(),
    eventTypes,
    definitionKey: z.string().nullable().describe('Only jobs of this definition; null: of any.'),
    queue: z.string().nullable(),
    tag: z.string().nullable(),
    enabled: z.boolean(),
    disabledAt: momentOrNull,
    disabledReason: z
      .enum(disabledReasons)
      .nullable()
      .describe('requested: by a client. gone: it answered 410. failing: nothing succeeded for too long.'),
    failures: z.int().describe('Attempts that failed since the last that succeeded.'),
    failingSince: momentOrNull,
    lastSuccessAt: momentOrNull,
    createdAt: moment,
    updatedAt: moment,
  })
  .meta({ id: 'Webhook' })

export const secret = z
  .string()
  .describe('Signs the messages (Standard Webhooks, v1). It is shown this once.')

export const DeliveryAnswer = z
  .object({
    deliveryId: z.uuid(),
    webhookId: z.uuid().nullable().describe('Null: to the webhookUrl of a job.'),
    jobId: z.uuid().nullable().describe('The job that it tells of; null in a test.'),
    eventType: z.string(),
    redeliveryOf: z.uuid().nullable(),
    createdAt: moment,
    status: z.enum(deliveryStatuses),
    attempts: z.int(),
    maxAttempts: z.int(),
    nextAttemptAt: momentOrNull,
    finishedAt: momentOrNull,
    errorCode: z.string().nullable(),
    errorSummary: z.string().nullable(),
    lastAnswer: z
      .object({
        at: moment,
        attempt: z.int(),
        responseStatus: z.int(),
        responseBody: z.string().describe('The first 1024 bytes.'),
        durationSeconds: z.number(),
      })
      .nullable()
      .describe('Null while none came.'),
  })
  .meta({ id: 'WebhookDelivery' })

export const WholeDeliveryAnswer = DeliveryAnswer.extend({
  body: z.unknown().describe('What is sent.'),
  attemptHistory: z.array(
    z.object({
      attempt: z.int(),
      startedAt: moment,
      endedAt: moment,
      outcome: z.string(),
      errorCode: z.string().nullable(),
      errorSummary: z.string().nullable(),
      answer: DeliveryAnswer.shape.lastAnswer,
    }),
  ),
})

export const exampleSettings = {
  url: 'https://hooks.example.com/jobs',
  description: 'tells billing',
  eventTypes: ['job.succeeded' as const, 'job.failed' as const],
  definitionKey: 'encode.video',
}

const at = '2026-11-26T09:00:00.000Z'

export const exampleWebhook = {
  webhookId: exampleId,
  queue: null,
  tag: null,
  enabled: true,
  disabledAt: null,
  disabledReason: null,
  failures: 0,
  failingSince: null,
  lastSuccessAt: at,
  createdAt: '2026-11-01T09:00:00.000Z',
  updatedAt: '2026-11-01T09:00:00.000Z',
  ...exampleSettings,
}

export const exampleSecret = `whsec_${'C2FVsBQIhrscChlQIMV+b5sSYspob7oD'}`

const exampleAnswer = {
  at,
  attempt: 1,
  responseStatus: 204,
  responseBody: '',
  durationSeconds: 0.082,
}

export const exampleDelivery = {
  deliveryId: exampleId,
  webhookId: exampleId,
  jobId: exampleId,
  eventType: 'job.succeeded',
  redeliveryOf: null,
  createdAt: at,
  status: 'delivered',
  attempts: 1,
  maxAttempts: 10,
  nextAttemptAt: null,
  finishedAt: at,
  errorCode: null,
  errorSummary: null,
  lastAnswer: exampleAnswer,
}

export const exampleWholeDelivery = {
  ...exampleDelivery,
  body: { type: 'job.succeeded', timestamp: at, data: { jobId: exampleId, status: 'succeeded' } },
  attemptHistory: [
    {
      attempt: 1,
      startedAt: at,
      endedAt: at,
      outcome: 'succeeded',
      errorCode: null,
      errorSummary: null,
      answer: exampleAnswer,
    },
  ],
}

export function viewWebhook({ id: webhookId, ...webhook }: Webhook) {
  return { webhookId, ...webhook }
}

export function viewDelivery<Shape extends Delivery>({ id: deliveryId, ...delivery }: Shape) {
  return { deliveryId, ...delivery }
}

export function viewWholeDelivery({ body, ...delivery }: WholeDelivery) {
  return { ...viewDelivery(delivery), body: JSON.parse(body) as unknown }
}
