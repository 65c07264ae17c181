/** Removes a webhook with its log. */
import type { Pool } from '../db.ts'
import { cancelDeliveries } from './cancel-deliveries.ts'

/**
 * What is on the way to it is cancelled; what is just being enqueued ends without being sent.
 * @returns whether there was such a webhook
 */
export async function removeWebhook(sql: Pool, id: string): Promise<boolean> {
  const removed = await sql`delete from job_server.webhooks where id = ${id}`
  await cancelDeliveries(sql, id)
  return removed.count > 0
}
