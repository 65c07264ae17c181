/** Changes a webhook. */
import type { Pool } from '../db.ts'
import { WebhookNotFound } from '../errors.ts'
import { cancelDeliveries } from './cancel-deliveries.ts'
import { type Webhook, type WebhookSettings, webhookColumns } from './row.ts'

/**
 * Enabled again, it is told of what is committed from then on; disabled, what is on the way to it is cancelled. Enabled
 * again, or with another URL, its failures are forgotten.
 * @param changes a URL in them was checked
 * @throws WebhookNotFound
 */
export async function updateWebhook(
  sql: Pool,
  id: string,
  changes: Partial<WebhookSettings>,
): Promise<Webhook> {
  const { url, description, eventTypes, definitionKey, queue, tag, enabled } = changes
  const [webhook] = await sql<Webhook[]>`
    update job_server.webhooks set
      ${url === undefined ? sql`` : sql`url = ${url},`}
      ${url === undefined && !enabled ? sql`` : forgiving(sql, url)}
      ${description === undefined ? sql`` : sql`description = ${description},`}
      ${eventTypes === undefined ? sql`` : sql`event_types = ${eventTypes}::text[],`}
      ${definitionKey === undefined ? sql`` : sql`definition_key = ${definitionKey},`}
      ${queue === undefined ? sql`` : sql`queue = ${queue},`}
      ${tag === undefined ? sql`` : sql`tag = ${tag},`}
      ${enabled === undefined ? sql`` : enabled ? enabling(sql) : disabling(sql)}
      updated_at = now()
    where id = ${id}
    returning ${webhookColumns(sql)}`
  if (webhook === undefined) throw new WebhookNotFound(id)
  if (enabled === false) await cancelDeliveries(sql, id)
  return webhook
}

/** What an endpoint did wrong is not that of another one, nor of one that is taken up again. */
function forgiving(sql: Pool, url: string | undefined) {
  const stays = sql`enabled and url = ${url ?? sql`url`}`
  return sql`
    failures = case when ${stays} then failures else 0 end,
    failing_since = case when ${stays} then failing_since end,`
}

/** Each expression reads the row as it was: one that is enabled already stays as it is. */
function enabling(sql: Pool) {
  return sql`
    since = case when enabled then since else pg_current_snapshot() end,
    disabled_at = null,
    disabled_reason = null,
    enabled = true,`
}

function disabling(sql: Pool) {
  return sql`
    disabled_at = coalesce(disabled_at, now()),
    disabled_reason = coalesce(disabled_reason, 'requested'),
    enabled = false,`
}
