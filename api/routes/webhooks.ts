/** Webhooks: make, list, read, change, remove, and their secrets. */
import { Hono } from 'hono'
import { z } from 'zod'
import { WebhookNotFound } from '../../core/errors.ts'
import { checkUrl } from '../../core/webhooks/check-url.ts'
import { createWebhook, webhookDefaults } from '../../core/webhooks/create.ts'
import { listWebhooks, readWebhook } from '../../core/webhooks/read.ts'
import { removeWebhook } from '../../core/webhooks/remove.ts'
import { rotateSecret } from '../../core/webhooks/rotate-secret.ts'
import { updateWebhook } from '../../core/webhooks/update.ts'
import type { ApiEnv, AppDependencies } from '../app.ts'
import { operation } from '../openapi/operation.ts'
import { id, jsonBody, optionalJsonBody, queryInteger, text, validate } from '../validate.ts'
import { webhookUrl } from './job-requests.ts'
import {
  eventTypes,
  exampleSecret,
  exampleSettings,
  exampleWebhook,
  secret,
  viewWebhook,
  WebhookAnswer,
} from './webhook-answers.ts'

const optional = {
  description: text(500).nullable(),
  eventTypes: eventTypes.min(1).transform((types) => [...new Set(types)]),
  definitionKey: text(255).nullable(),
  queue: text(100).nullable(),
  tag: text(100).nullable(),
}
const CreateBody = z.strictObject(optional).partial().extend({ url: webhookUrl })
const UpdateBody = z.strictObject({ ...optional, url: webhookUrl, enabled: z.boolean() }).partial()
const RotateBody = z.strictObject({
  overlapSeconds: z
    .number()
    .min(0)
    .max(604_800)
    .default(86_400)
    .describe('For so long the secrets of before go on signing beside the new one.'),
})
const ListQuery = z.strictObject({
  limit: queryInteger(1, 1000).default(100),
  offset: queryInteger(0, 2_147_483_647).default(0),
})

export const WebhookParam = z.object({ webhookId: id })

export function webhookRoutes({ sql, config }: AppDependencies) {
  const check = (url: string) => checkUrl(url, { path: 'url', allowedHosts: config.WEBHOOK_ALLOWED_HOSTS })
  const answer = { schema: WebhookAnswer, example: exampleWebhook }
  return new Hono<ApiEnv>()
    .post(
      '/',
      operation({
        summary: 'Make a webhook',
        description: 'It is told of what happens from now on.',
        example: exampleSettings,
        answers: {
          201: {
            description: 'The webhook, and the secret that signs.',
            schema: WebhookAnswer.extend({ secret }),
            example: { ...exampleWebhook, secret: exampleSecret },
          },
        },
        problems: ['invalid_webhook'],
      }),
      jsonBody,
      validate('json', CreateBody),
      async (c) => {
        const body = c.req.valid('json')
        check(body.url)
        const made = await createWebhook(sql, { ...webhookDefaults, ...body })
        return c.json({ ...viewWebhook(made.webhook), secret: made.secret }, 201)
      },
    )
    .get(
      '/',
      operation({
        summary: 'List webhooks',
        answers: {
          200: {
            description: 'A page, oldest first, and how many there are in all.',
            schema: z.object({ webhooks: z.array(WebhookAnswer), total: z.int() }),
            example: { webhooks: [exampleWebhook], total: 1 },
          },
        },
      }),
      validate('query', ListQuery),
      async (c) => {
        const { webhooks, total } = await listWebhooks(sql, c.req.valid('query'))
        return c.json({ webhooks: webhooks.map(viewWebhook), total })
      },
    )
    .get(
      '/:webhookId',
      operation({
        summary: 'Read a webhook',
        answers: { 200: { description: 'The webhook.', ...answer } },
        problems: ['webhook_not_found'],
      }),
      validate('param', WebhookParam),
      async (c) => {
        const { webhookId } = c.req.valid('param')
        const webhook = await readWebhook(sql, webhookId)
        if (webhook === null) throw new WebhookNotFound(webhookId)
        return c.json(viewWebhook(webhook))
      },
    )
    .patch(
      '/:webhookId',
      operation({
        summary: 'Change a webhook',
        description:
          'Disabled, what is on the way to it is cancelled. Enabled again, it is told of what happens from then on.',
        example: { enabled: true },
        answers: { 200: { description: 'The webhook as it is now.', ...answer } },
        problems: ['invalid_webhook', 'webhook_not_found'],
      }),
      validate('param', WebhookParam),
      jsonBody,
      validate('json', UpdateBody),
      async (c) => {
        const changes = c.req.valid('json')
        if (changes.url !== undefined) check(changes.url)
        return c.json(viewWebhook(await updateWebhook(sql, c.req.valid('param').webhookId, changes)))
      },
    )
    .delete(
      '/:webhookId',
      operation({
        summary: 'Remove a webhook and its log',
        description: 'What is on the way to it is cancelled.',
        answers: { 204: { description: 'It is gone.' } },
        problems: ['webhook_not_found'],
      }),
      validate('param', WebhookParam),
      async (c) => {
        const { webhookId } = c.req.valid('param')
        if (!(await removeWebhook(sql, webhookId))) throw new WebhookNotFound(webhookId)
        return c.body(null, 204)
      },
    )
    .post(
      '/:webhookId/rotate-secret',
      operation({
        summary: 'Give a webhook a new secret',
        description:
          'For a while each message has a signature by the new and one by the old secret, so that receivers can change over.',
        example: { overlapSeconds: 3600 },
        answers: {
          200: {
            description: 'The secret.',
            schema: z.object({ secret }),
            example: { secret: exampleSecret },
          },
        },
        problems: ['webhook_not_found'],
      }),
      validate('param', WebhookParam),
      optionalJsonBody,
      validate('json', RotateBody),
      async (c) => {
        const { webhookId } = c.req.valid('param')
        return c.json({ secret: await rotateSecret(sql, webhookId, c.req.valid('json')) })
      },
    )
}
