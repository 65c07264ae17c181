/** Enqueues deliveries: each is a row that says what is sent where, and a job of ours that sends it. */
import type { Sql } from '../db.ts'
import { deliveryDefinition } from '../definitions/internal.ts'
import { newId } from '../ids.ts'
import { type EnqueueInput, enqueueMany } from '../queue/enqueue.ts'
import { ownKey } from '../queue/own-keys.ts'
import { jsonParameter } from '../queue/row.ts'
import { webhookTag } from './cancel-deliveries.ts'

export type Outgoing = {
  jobId: string | null
  eventId: string | null
  eventType: string
  body: string
  redeliveryOf?: string
} & ({ webhookId: string; url: null } | { webhookId: null; url: string })

/**
 * In the caller's transaction, so that neither is there without the other.
 * @returns the ids of the deliveries, in order
 */
export async function enqueueDeliveries(
  tx: Sql,
  outgoing: Outgoing[],
  { maxAttempts }: { maxAttempts: number },
): Promise<string[]> {
  if (outgoing.length === 0) return []
  const deliveries = outgoing.map((one) => ({ ...one, id: newId() }))
  const enqueued = await enqueueMany(
    tx,
    deliveries.map((delivery) => jobOf(delivery, maxAttempts)),
    { internal: true },
  )
  const rows = deliveries.map((delivery, place) => ({
    redeliveryOf: null,
    ...delivery,
    deliveryJobId: enqueued[place]?.job.id ?? null,
  }))
  await tx`
    insert into job_server.webhook_deliveries (
      id, webhook_id, url, job_id, event_id, event_type, body, redelivery_of, delivery_job_id
    )
    select id, "webhookId", url, "jobId", "eventId", "eventType", body, "redeliveryOf", "deliveryJobId"
    from jsonb_to_recordset(${tx.json(jsonParameter(rows))}) as given (
      id uuid, "webhookId" uuid, url text, "jobId" uuid, "eventId" bigint, "eventType" text, body text,
      "redeliveryOf" uuid, "deliveryJobId" uuid
    )`
  return deliveries.map(({ id }) => id)
}

/** Deliveries to one endpoint share a concurrency key: one that hangs must not hold all the slots. */
function jobOf(delivery: Outgoing & { id: string }, maxAttempts: number): EnqueueInput {
  const { id, webhookId, url } = delivery
  return {
    definitionKey: deliveryDefinition,
    params: { deliveryId: id },
    maxAttempts,
    concurrencyKey: ownKey(
      webhookId === null ? `webhook-host:${new URL(url).hostname}` : `webhook:${webhookId}`,
    ),
    tags: webhookId === null ? [] : [webhookTag(webhookId)],
  }
}
