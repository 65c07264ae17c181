/** What a job's process gets as its parameters, where that is not what is stored. */
import type { Config } from '../core/config.ts'
import type { Pool } from '../core/db.ts'
import { deliveryDefinition } from '../core/definitions/internal.ts'
import type { JsonObject } from '../core/json.ts'
import type { ClaimedJob } from '../core/queue/claim.ts'
import { prepareDelivery } from '../core/webhooks/prepare.ts'

export type PrepareConfig = Pick<
  Config,
  'WEBHOOK_SECRET' | 'WEBHOOK_ALLOWED_HOSTS' | 'WEBHOOK_RETRY_SECONDS' | 'WEBHOOK_TIMEOUT_SECONDS'
>

/** @returns null when the job is not wanted any more */
export async function prepareParams(
  sql: Pool,
  { definitionKey, params, attempt }: ClaimedJob,
  config: PrepareConfig,
): Promise<JsonObject | null> {
  if (definitionKey !== deliveryDefinition) return params
  const request = await prepareDelivery(sql, String(params.deliveryId), attempt, {
    secret: config.WEBHOOK_SECRET,
    allowedHosts: config.WEBHOOK_ALLOWED_HOSTS,
    retrySeconds: config.WEBHOOK_RETRY_SECONDS,
    timeoutSeconds: config.WEBHOOK_TIMEOUT_SECONDS,
  })
  if (request === 'unwanted') return null
  return request === 'no_secret' ? params : { ...params, request: { ...request } }
}
