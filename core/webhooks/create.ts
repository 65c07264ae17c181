/** Makes a webhook with its first secret. */
import type { Sql } from '../db.ts'
import { newId } from '../ids.ts'
import { finalEventTypes, type Webhook, type WebhookSettings, webhookColumns } from './row.ts'
import { newSecret } from './signature.ts'

export const webhookDefaults = {
  description: null,
  eventTypes: [...finalEventTypes],
  definitionKey: null,
  queue: null,
  tag: null,
} satisfies Omit<WebhookSettings, 'url' | 'enabled'>

/**
 * It is told of what is committed from now on.
 * @param settings its URL was checked
 * @returns the webhook and its secret, which nobody can read again
 */
export async function createWebhook(
  sql: Sql,
  settings: Omit<WebhookSettings, 'enabled'>,
): Promise<{ webhook: Webhook; secret: string }> {
  const { url, description, eventTypes, definitionKey, queue, tag } = settings
  const secret = newSecret()
  const [webhook] = await sql<Webhook[]>`
    with made as (
      insert into job_server.webhooks (id, url, description, event_types, definition_key, queue, tag)
      values (${newId()}, ${url}, ${description}, ${eventTypes}::text[], ${definitionKey}, ${queue}, ${tag})
      returning ${webhookColumns(sql)}
    ),
    secret_made as (insert into job_server.webhook_secrets (webhook_id, secret) select id, ${secret} from made)
    select * from made`
  if (webhook === undefined) throw new Error('the webhook was not written')
  return { webhook, secret }
}
