/** Reads jobs wherever they are: live in `jobs`, finished in `job_history`. */
import type { Sql } from '../db.ts'
import type { JobStatus } from '../job-state.ts'
import type { JsonObject } from '../json.ts'
import type { JobView } from './row.ts'

export interface AttemptView {
  attempt: number
  workerId: string
  startedAt: Date
  endedAt: Date
  outcome: string
  errorCode: string | null
  error: JsonObject | null
}

export async function readJob(sql: Sql, jobId: string): Promise<JobView | null> {
  // jobs_pk, then the one partition's job_history pk. One statement sees one snapshot, so a job that is
  // being moved is found in exactly one of the two.
  const [row] = await sql<JobView[]>`
    select ${liveColumns(sql)} from job_server.jobs where id = ${jobId}
    union all
    select ${finishedColumns(sql)} from job_server.job_history where id = ${jobId}`
  return row ?? null
}

/**
 * Of each that is live or in history, or of whose failure a dead letter tells when its history is dropped. Runs on
 * connections of others, too.
 */
export async function statusesWhileKnown(sql: Sql, jobIds: string[]): Promise<Map<string, JobStatus>> {
  const statuses = new Map<string, JobStatus>()
  if (jobIds.length === 0) return statuses
  // jobs_pk, then of each the one partition's job_history pk
  const known = await sql<{ id: string; status: JobStatus }[]>`
    select id, ${liveStatusColumn(sql)} from job_server.jobs where id = any(${jobIds}::uuid[])
    union all
    select id, status from job_server.job_history where id = any(${jobIds}::uuid[])`
  for (const { id, status } of known) statuses.set(id, status)
  const unknown = jobIds.filter((id) => !statuses.has(id))
  if (unknown.length === 0) return statuses
  // dead_letters_original_job_unique
  const letters = await sql<{ id: string }[]>`
    select original_job_id as id from job_server.dead_letters where original_job_id = any(${unknown}::uuid[])`
  for (const { id } of letters) statuses.set(id, 'failed')
  return statuses
}

export async function statusIfAny(sql: Sql, jobId: string): Promise<JobStatus | null> {
  const [row] = await sql<{ status: JobStatus }[]>`
    select ${liveStatusColumn(sql)} from job_server.jobs where id = ${jobId}
    union all
    select status from job_server.job_history where id = ${jobId}`
  return row?.status ?? null
}

/** @returns its key; null for a job that is not known */
export async function definitionOf(sql: Sql, jobId: string): Promise<string | null> {
  // jobs_pk, then the one partition's job_history pk
  const [row] = await sql<{ definitionKey: string }[]>`
    select definition_key from job_server.jobs where id = ${jobId}
    union all
    select definition_key from job_server.job_history where id = ${jobId}`
  return row?.definitionKey ?? null
}

/** Ended attempts, oldest first; the one that runs is not among them. */
export async function readAttempts(sql: Sql, jobId: string): Promise<AttemptView[]> {
  // Ends are written in one form, whatever they have to tell: of one without an error that is an empty object.
  return await sql<AttemptView[]>`
    select attempt, worker_id, started_at, ended_at, outcome, error_code, nullif(error, '{}') as error
    from job_server.attempts
    where job_id = ${jobId}
    order by lease_epoch`
}

/** How many children a job has, in each status that one of them is in. Null for a job without any. */
export async function countChildren(
  sql: Sql,
  jobId: string,
): Promise<Partial<Record<JobStatus, number>> | null> {
  // jobs_parent_idx, job_history_parent_idx
  const rows = await sql<{ status: JobStatus; count: number }[]>`
    select status, count(*)::int as count from (
      select ${liveStatusColumn(sql)} from job_server.jobs where parent_id = ${jobId}
      union all
      select status from job_server.job_history where parent_id = ${jobId}
    ) as children
    group by status`
  if (rows.length === 0) return null
  return Object.fromEntries(rows.map(({ status, count }) => [status, count]))
}

export function liveColumns(sql: Sql) {
  return sql`
    id as job_id, definition_key, definition_version, queue,
    ${liveStatusColumn(sql)},
    attempts, max_attempts, priority, queued_at, scheduled_at, started_at, null::timestamptz as finished_at,
    heartbeat_at, worker_id, error_code, error_summary, parent_id, tags, metadata, params,
    progress, null::jsonb as result, ${traceId(sql)}`
}

/** Of rows of `jobs`, as `status`. */
export function liveStatusColumn(sql: Sql) {
  return sql`
    case when state <> 'running' then 'queued' when cancel_requested_at is null then 'running' else 'cancelling' end as status`
}

export function finishedColumns(sql: Sql) {
  return sql`
    id as job_id, definition_key, definition_version, queue, status,
    attempts, max_attempts, priority, queued_at, scheduled_at, started_at, finished_at,
    heartbeat_at, worker_id, error_code, error_summary, parent_id, tags, metadata, params,
    progress, result, ${traceId(sql)}`
}

function traceId(sql: Sql) {
  return sql`split_part(traceparent, '-', 2) as trace_id`
}

/** Whether a request with the idempotency key, if it has one, would meet an earlier job where it asks for the same. */
export async function isKeyHeld(
  sql: Sql,
  { definitionKey, key }: { definitionKey: string; key: string | undefined },
): Promise<boolean> {
  if (key === undefined) return false
  // idempotency_keys_pk
  const held = await sql`
    select from job_server.idempotency_keys
    where definition_key = ${definitionKey} and kind = 'client' and idempotency_keys.key = ${key} and expires_at > now()`
  return held.length > 0
}
