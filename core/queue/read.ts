/** Reads jobs wherever they are: live in `jobs`, finished in `job_history`. */
import type { Sql } from '../db.ts'
import { isFinal, type JobStatus } from '../job-state.ts'
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

/** Of a job that is known to exist: one that is in no table any more had finished, and long ago. */
export async function statusOf(sql: Sql, jobId: string): Promise<JobStatus> {
  const [row] = await sql<{ status: JobStatus }[]>`
    select ${liveStatusColumn(sql)} from job_server.jobs where id = ${jobId}
    union all
    select status from job_server.job_history where id = ${jobId}`
  return row?.status ?? 'succeeded'
}

/** Ended attempts, oldest first; the one that runs is not among them. */
export async function readAttempts(sql: Sql, jobId: string): Promise<AttemptView[]> {
  return await sql<AttemptView[]>`
    select attempt, worker_id, started_at, ended_at, outcome, error_code, error
    from job_server.attempts
    where job_id = ${jobId}
    order by lease_epoch`
}

export interface JobFilter {
  status?: JobStatus | undefined
  definitionKey?: string | undefined
  limit: number
  offset: number
}

/** One page, newest first, and how many jobs match in all. */
export async function listJobs(sql: Sql, filter: JobFilter): Promise<{ jobs: JobView[]; total: number }> {
  const { status, definitionKey, limit, offset } = filter
  const ofDefinition = definitionKey === undefined ? sql`` : sql`and definition_key = ${definitionKey}`
  const live =
    status !== undefined && isFinal(status) ? sql`false` : sql`${liveStatus(sql, status)} ${ofDefinition}`
  const finished =
    status === undefined
      ? sql`true ${ofDefinition}`
      : isFinal(status)
        ? sql`status = ${status} ${ofDefinition}`
        : sql`false`
  // Each side reads at most offset + limit rows in id order (jobs_pk, jobs_definition_idx, job_history_*_idx).
  const reach = offset + limit
  const [jobs, [count]] = await Promise.all([
    sql<JobView[]>`
      select * from (
        (select ${liveColumns(sql)} from job_server.jobs where ${live} order by id desc limit ${reach})
        union all
        (select ${finishedColumns(sql)} from job_server.job_history where ${finished} order by id desc limit ${reach})
      ) as page
      order by job_id desc
      limit ${limit} offset ${offset}`,
    sql<{ total: number }[]>`
      select (
        (select count(*) from job_server.jobs where ${live})
        + (select count(*) from job_server.job_history where ${finished})
      )::float8 as total`,
  ])
  return { jobs, total: count?.total ?? 0 }
}

function liveStatus(sql: Sql, status: JobStatus | undefined) {
  switch (status) {
    case undefined:
      return sql`true`
    case 'queued':
      return sql`state <> 'running'`
    case 'running':
      return sql`state = 'running' and cancel_requested_at is null`
    case 'cancelling':
      return sql`state = 'running' and cancel_requested_at is not null`
    default:
      return sql`false`
  }
}

function liveColumns(sql: Sql) {
  return sql`
    id as job_id, definition_key, definition_version, queue,
    ${liveStatusColumn(sql)},
    attempts, max_attempts, priority, queued_at, scheduled_at, started_at, null::timestamptz as finished_at,
    heartbeat_at, worker_id, error_code, error_summary, params, progress, null::jsonb as result`
}

function liveStatusColumn(sql: Sql) {
  return sql`
    case when state <> 'running' then 'queued' when cancel_requested_at is null then 'running' else 'cancelling' end as status`
}

function finishedColumns(sql: Sql) {
  return sql`
    id as job_id, definition_key, definition_version, queue, status,
    attempts, max_attempts, priority, queued_at, scheduled_at, started_at, finished_at,
    heartbeat_at, worker_id, error_code, error_summary, params, progress, result`
}
