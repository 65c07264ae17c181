/**
 * Reads the log of deliveries. How one fares is read from the job that carries it out: its state, its attempts, and the
 * answers that it noted as events.
 */
import { plannedAnew, readBounded, type Sql } from '../db.ts'
import type { Json } from '../json.ts'
import { liveStatusColumn } from '../queue/read.ts'

export const deliveryStatuses = ['pending', 'sending', 'delivered', 'failed', 'cancelled'] as const
type DeliveryStatus = (typeof deliveryStatuses)[number]

export interface Delivery {
  id: string
  webhookId: string | null
  /** The job that it tells of; null in a test. */
  jobId: string | null
  eventType: string
  redeliveryOf: string | null
  createdAt: Date
  status: DeliveryStatus
  attempts: number
  maxAttempts: number
  /** Null unless it is pending. */
  nextAttemptAt: Date | null
  finishedAt: Date | null
  /** Of the last attempt that failed, while none has succeeded. */
  errorCode: string | null
  errorSummary: string | null
  lastAnswer: EndpointAnswer | null
}

/** What an endpoint answered. */
interface EndpointAnswer {
  at: Date
  attempt: number
  responseStatus: number
  /** The first bytes. */
  responseBody: string
  durationSeconds: number
}

interface DeliveryAttempt {
  attempt: number
  startedAt: Date
  endedAt: Date
  outcome: string
  errorCode: string | null
  errorSummary: string | null
  /** Null: none came. */
  answer: EndpointAnswer | null
}

export interface DeliveryFilter {
  webhookId?: string
  jobId?: string
  status?: DeliveryStatus | undefined
}

/** One page, newest first. @param page.after the last that is already known. @throws ReadTooLong */
export async function listDeliveries(
  sql: Sql,
  { webhookId, jobId, status }: DeliveryFilter,
  { limit, after }: { limit: number; after?: string | undefined },
): Promise<{ deliveries: Delivery[]; nextAfter: string | null }> {
  // webhook_deliveries_webhook_idx or webhook_deliveries_job_idx; then, a row at a time, the primary keys of its job and
  // of that job's events.
  const rows = await readBounded(sql, (tx) =>
    plannedAnew(tx<DeliveryRow[]>`
      select ${deliveryColumns(tx)}
      from job_server.webhook_deliveries as delivery
      ${withJob(tx)}
      where true
        ${webhookId === undefined ? tx`` : tx`and webhook_id = ${webhookId}`}
        ${jobId === undefined ? tx`` : tx`and job_id = ${jobId}`}
        ${after === undefined ? tx`` : tx`and delivery.id < ${after}`}
        ${status === undefined ? tx`` : tx`and job.status = ${status}`}
      order by delivery.id desc
      limit ${limit + 1}`),
  )
  const deliveries = rows.slice(0, limit).map(withAnswer)
  return { deliveries, nextAfter: rows.length > limit ? (deliveries.at(-1)?.id ?? null) : null }
}

export interface WholeDelivery extends Delivery {
  /** What is sent. */
  body: string
  attemptHistory: DeliveryAttempt[]
}

export async function readDelivery(
  sql: Sql,
  webhookId: string,
  deliveryId: string,
): Promise<WholeDelivery | null> {
  const [row] = await sql<(DeliveryRow & { body: string; deliveryJobId: string })[]>`
    select ${deliveryColumns(sql)}, body, delivery_job_id
    from job_server.webhook_deliveries as delivery
    ${withJob(sql)}
    where delivery.id = ${deliveryId} and webhook_id = ${webhookId}`
  if (row === undefined) return null
  const { deliveryJobId, ...delivery } = row
  return { ...withAnswer(delivery), attemptHistory: await readDeliveryAttempts(sql, deliveryJobId) }
}

/** Those that have ended, oldest first. */
async function readDeliveryAttempts(sql: Sql, deliveryJobId: string): Promise<DeliveryAttempt[]> {
  // attempts_pk, events_pk
  const rows = await sql<(Omit<DeliveryAttempt, 'answer'> & { answer: Json; answeredAt: Date | null })[]>`
    select
      attempt, started_at, ended_at, outcome, error_code, error ->> 'message' as error_summary,
      answered.payload as answer, answered.at as answered_at
    from job_server.attempts
    left join job_server.events as answered
      on answered.job_id = attempts.job_id and event_type = 'answered'
        and (answered.payload ->> 'attempt')::int = attempts.attempt
    where attempts.job_id = ${deliveryJobId}
    order by attempts.lease_epoch`
  return rows.map(({ answer, answeredAt, ...attempt }) => ({
    ...attempt,
    answer: answerOf(answer, answeredAt),
  }))
}

type DeliveryRow = Omit<Delivery, 'lastAnswer'> & { answer: Json; answeredAt: Date | null }

function withAnswer<Row extends DeliveryRow>({ answer, answeredAt, ...delivery }: Row) {
  return { ...delivery, lastAnswer: answerOf(answer, answeredAt) }
}

function answerOf(payload: Json, at: Date | null): EndpointAnswer | null {
  return payload === null || at === null
    ? null
    : { ...(payload as unknown as Omit<EndpointAnswer, 'at'>), at }
}

function deliveryColumns(sql: Sql) {
  return sql`
    delivery.id, webhook_id, delivery.job_id, delivery.event_type, redelivery_of, created_at,
    coalesce(job.status, 'cancelled') as status, coalesce(attempts, 0) as attempts, coalesce(max_attempts, 0) as max_attempts,
    next_attempt_at, finished_at, error_code, error_summary, answered.payload as answer, answered.at as answered_at`
}

/** What is known of the job that carries a delivery out. */
function withJob(sql: Sql) {
  return sql`
    left join lateral (
      select
        case status when 'queued' then 'pending' when 'succeeded' then 'delivered' when 'failed' then 'failed'
          when 'cancelled' then 'cancelled' else 'sending' end as status,
        attempts, max_attempts, case when status = 'queued' then scheduled_at end as next_attempt_at, finished_at,
        error_code, error_summary
      from (
        select
          ${liveStatusColumn(sql)}, attempts, max_attempts, scheduled_at, null::timestamptz as finished_at, error_code,
          error_summary
        from job_server.jobs
        where id = delivery_job_id
        union all
        select status, attempts, max_attempts, null, finished_at, error_code, error_summary
        from job_server.job_history
        where id = delivery_job_id
      ) as found
    ) as job on true
    left join lateral (
      select payload, at
      from job_server.events
      where events.job_id = delivery_job_id and events.event_type = 'answered'
      order by events.id desc
      limit 1
    ) as answered on true`
}
