/**
 * Makes the request of one attempt of a delivery. It is signed here, in the worker, and handed to the job's process
 * ready to be sent: the process sees no secret, and what is stored of the job names the delivery and nothing else.
 */
import type { Sql } from '../db.ts'
import { signedHeaders } from './signature.ts'

export interface DeliveryConfig {
  /** Signs for addresses that jobs bring. */
  secret: string | undefined
  allowedHosts: string[]
  retrySeconds: number[]
  timeoutSeconds: number
}

/** What the process gets. */
export interface PreparedRequest {
  url: string
  headers: Record<string, string>
  body: string
  allowedHosts: string[]
  timeoutSeconds: number
  /** Before the next attempt, should this one fail. */
  retryInSeconds: number
}

/** So that endpoints that were away are not met by everybody at once: each wait is longer by up to this part. */
const jitter = 0.1

/**
 * @param attempt from 1
 * @returns `unwanted` when the webhook was disabled or removed; `no_secret` when there is none to sign by
 */
export async function prepareDelivery(
  sql: Sql,
  deliveryId: string,
  attempt: number,
  config: DeliveryConfig,
): Promise<PreparedRequest | 'unwanted' | 'no_secret'> {
  // webhook_deliveries_pk, webhooks_pk, webhook_secrets_webhook_idx
  const [row] = await sql<
    {
      url: string
      body: string
      messageId: string
      timestamp: number
      webhookId: string | null
      secrets: string[]
    }[]
  >`
    select
      coalesce(delivery.url, webhooks.url) as url, body, coalesce(redelivery_of, delivery.id) as message_id,
      extract(epoch from now())::int as timestamp, webhook_id,
      array(
        select secret from job_server.webhook_secrets as held
        where held.webhook_id = delivery.webhook_id and (expires_at is null or expires_at > now())
        order by held.id desc
      ) as secrets
    from job_server.webhook_deliveries as delivery
    left join job_server.webhooks on webhooks.id = delivery.webhook_id
    where delivery.id = ${deliveryId} and coalesce(enabled, true)`
  if (row === undefined) return 'unwanted'
  const { url, body, messageId, timestamp, webhookId } = row
  const secrets = webhookId === null ? [config.secret ?? []].flat() : row.secrets
  if (secrets.length === 0) return 'no_secret'
  const wait = config.retrySeconds[attempt - 1] ?? config.retrySeconds.at(-1) ?? 0
  return {
    url,
    headers: signedHeaders({ id: `msg_${messageId}`, timestamp, body }, secrets),
    body,
    allowedHosts: config.allowedHosts,
    timeoutSeconds: config.timeoutSeconds,
    retryInSeconds: wait * (1 + jitter * Math.random()),
  }
}
