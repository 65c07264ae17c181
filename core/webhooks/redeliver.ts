/** Sends again what was sent, or a message of no meaning to try an endpoint. */
import { databaseTime, type Pool, type Sql } from '../db.ts'
import { DeliveryNotFound, WebhookDisabled, WebhookNotFound } from '../errors.ts'
import { hintWork } from '../queue/wake.ts'
import { enqueueDeliveries, type Outgoing } from './enqueue-deliveries.ts'
import { testBody } from './payload.ts'

/**
 * As a delivery of its own, with the same message id and body: receivers that know the message can tell.
 * @returns the id of the new delivery
 * @throws WebhookNotFound, WebhookDisabled, DeliveryNotFound
 */
export async function redeliver(
  sql: Pool,
  webhookId: string,
  deliveryId: string,
  { retrySeconds }: { retrySeconds: number[] },
): Promise<string> {
  return await send(sql, webhookId, retrySeconds.length + 1, async (tx) => {
    const [before] = await tx<
      Pick<Outgoing, 'jobId' | 'eventId' | 'eventType' | 'body'>[] & { redeliveryOf: string }[]
    >`
      select job_id, event_id, event_type, body, coalesce(redelivery_of, id) as redelivery_of
      from job_server.webhook_deliveries
      where id = ${deliveryId} and webhook_id = ${webhookId}`
    if (before === undefined) throw new DeliveryNotFound(webhookId, deliveryId)
    return before
  })
}

/**
 * Of the type `webhook.test`, whatever the webhook listens to; one attempt.
 * @returns the id of the delivery
 * @throws WebhookNotFound, WebhookDisabled
 */
export async function sendTest(sql: Pool, webhookId: string): Promise<string> {
  return await send(sql, webhookId, 1, async (tx) => ({
    jobId: null,
    eventId: null,
    eventType: 'webhook.test',
    body: testBody(await databaseTime(tx), webhookId),
  }))
}

type Sent = Pick<Outgoing, 'jobId' | 'eventId' | 'eventType' | 'body' | 'redeliveryOf'>

async function send(
  sql: Pool,
  webhookId: string,
  maxAttempts: number,
  messageOf: (tx: Sql) => Promise<Sent>,
): Promise<string> {
  const id = await sql.begin(async (tx) => {
    // Held against its removal, and against being disabled before the delivery can be found and cancelled.
    const [webhook] = await tx<{ enabled: boolean }[]>`
      select enabled from job_server.webhooks where id = ${webhookId} for share`
    if (webhook === undefined) throw new WebhookNotFound(webhookId)
    if (!webhook.enabled) throw new WebhookDisabled(webhookId)
    const message = await messageOf(tx)
    const [delivery] = await enqueueDeliveries(tx, [{ ...message, webhookId, url: null }], { maxAttempts })
    if (delivery === undefined) throw new Error('the delivery was not written')
    return delivery
  })
  hintWork(sql)
  return id
}
