/** Cancels what is on the way to a webhook. */
import type { Pool } from '../db.ts'
import { deliveryDefinition } from '../definitions/internal.ts'
import { cancelMatching } from '../queue/cancel.ts'

const batch = 1000

/** The tag of the jobs that deliver to it. */
export function webhookTag(webhookId: string): string {
  return `webhook:${webhookId}`
}

export async function cancelDeliveries(sql: Pool, webhookId: string): Promise<void> {
  const filter = { definitionKey: deliveryDefinition, tags: [webhookTag(webhookId)] }
  for (;;) {
    const { cancelled, cancelling } = await cancelMatching(sql, filter, { limit: batch })
    if (cancelled.length + cancelling.length < batch) return
  }
}
