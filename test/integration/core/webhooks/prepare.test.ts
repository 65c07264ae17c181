import { expect, test } from 'vitest'
import { newId } from '../../../../core/ids.ts'
import { createWebhook, webhookDefaults } from '../../../../core/webhooks/create.ts'
import { enqueueDeliveries } from '../../../../core/webhooks/enqueue-deliveries.ts'
import { prepareDelivery } from '../../../../core/webhooks/prepare.ts'
import { sendTest } from '../../../../core/webhooks/redeliver.ts'
import { removeWebhook } from '../../../../core/webhooks/remove.ts'
import { newSecret } from '../../../../core/webhooks/signature.ts'
import { updateWebhook } from '../../../../core/webhooks/update.ts'
import { testDatabase } from '../../../support/database.ts'
import { testQueue } from '../../../support/queue.ts'

const { sql } = await testDatabase()
await testQueue(sql, { key: 'webhook.deliver', queue: 'webhooks' })
const config = {
  secret: newSecret(),
  allowedHosts: ['10.0.0.0/8'],
  retrySeconds: [10, 100],
  timeoutSeconds: 7,
}

async function webhookWithDelivery() {
  const { webhook, secret } = await createWebhook(sql, {
    ...webhookDefaults,
    url: 'https://example.com/hook',
  })
  return { webhookId: webhook.id, secret, deliveryId: await sendTest(sql, webhook.id) }
}

const prepare = (deliveryId: string, attempt = 1, changes: Partial<typeof config> = {}) =>
  prepareDelivery(sql, deliveryId, attempt, { ...config, ...changes })

test('a request is signed, bounded, and says how long to wait should it fail', async () => {
  const { deliveryId, secret } = await webhookWithDelivery()
  const request = await prepare(deliveryId)
  expect(request).toMatchObject({
    url: 'https://example.com/hook',
    allowedHosts: ['10.0.0.0/8'],
    timeoutSeconds: 7,
    headers: { 'webhook-id': `msg_${deliveryId}`, 'webhook-signature': expect.stringMatching(/^v1,\S{44}$/) },
  })
  expect(JSON.stringify(request)).not.toContain(secret.slice('whsec_'.length))
  for (const [attempt, least] of [
    [1, 10],
    [2, 100],
    [3, 100],
  ] as const) {
    const prepared = await prepare(deliveryId, attempt)
    if (typeof prepared === 'string') throw new Error(prepared)
    expect(prepared.retryInSeconds).toBeGreaterThanOrEqual(least)
    expect(prepared.retryInSeconds).toBeLessThanOrEqual(1.1 * least)
  }
})

test('to a webhook that is disabled or gone nothing is sent any more', async () => {
  const disabled = await webhookWithDelivery()
  await updateWebhook(sql, disabled.webhookId, { enabled: false })
  expect(await prepare(disabled.deliveryId)).toBe('unwanted')
  await updateWebhook(sql, disabled.webhookId, { enabled: true })
  expect(await prepare(disabled.deliveryId)).toMatchObject({ url: 'https://example.com/hook' })
  const gone = await webhookWithDelivery()
  await removeWebhook(sql, gone.webhookId)
  expect(await prepare(gone.deliveryId)).toBe('unwanted')
  expect(await prepare(newId())).toBe('unwanted')
})

test('to the address of a job nothing can be sent without the secret of the server', async () => {
  const own = { jobId: newId(), eventId: '1', eventType: 'job.succeeded', body: '{}' }
  const [deliveryId = ''] = await sql.begin((tx) =>
    enqueueDeliveries(tx, [{ ...own, webhookId: null, url: 'https://example.com/own' }], { maxAttempts: 1 }),
  )
  expect(await prepare(deliveryId, 1, { secret: undefined })).toBe('no_secret')
  expect(await prepare(deliveryId)).toMatchObject({ url: 'https://example.com/own' })
})
