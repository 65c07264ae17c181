/** A webhook as the rest of the code knows it, and its columns. Its secrets are in none of them. */
import type { Sql } from '../db.ts'

/** What happens to jobs, by the types of their events. */
export const webhookEventTypes = [
  'job.queued',
  'job.started',
  'job.retry_scheduled',
  'job.succeeded',
  'job.failed',
  'job.cancelled',
] as const
export type WebhookEventType = (typeof webhookEventTypes)[number]

/** The ends of jobs: what a webhook is told of unless it says otherwise, and the address that a job brings. */
export const finalEventTypes = ['job.succeeded', 'job.failed', 'job.cancelled'] as const

/** By a client; because the endpoint answered that it is gone; because nothing had succeeded for too long. */
export const disabledReasons = ['requested', 'gone', 'failing'] as const
type DisabledReason = (typeof disabledReasons)[number]

/** What may be said of a webhook. */
export interface WebhookSettings {
  url: string
  description: string | null
  eventTypes: WebhookEventType[]
  /** Only jobs of this definition, queue or tag; null: any. */
  definitionKey: string | null
  queue: string | null
  tag: string | null
  enabled: boolean
}

export interface Webhook extends WebhookSettings {
  id: string
  disabledAt: Date | null
  disabledReason: DisabledReason | null
  /** Attempts that failed since the last that succeeded, and when the first of them did. */
  failures: number
  failingSince: Date | null
  lastSuccessAt: Date | null
  createdAt: Date
  updatedAt: Date
}

export function webhookColumns(sql: Sql) {
  return sql`
    id, url, description, event_types, definition_key, queue, tag, enabled, disabled_at, disabled_reason, failures,
    failing_since, last_success_at, created_at, updated_at`
}
