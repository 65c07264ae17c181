/**
 * Ends attempts: the only way out of `running`. One statement decides what becomes of each job, writes its
 * attempt and event, and moves what is final to history (and, failed, to the dead letters).
 *
 *   cancel asked for ─────────────► cancelled          (beats every other end)
 *   succeeded ────────────────────► succeeded
 *   interrupted ──────────────────► ready, attempt not charged
 *   failed, attempts left, retry ─► scheduled after its backoff (ready when that is 0)
 *   failed otherwise ─────────────► failed + dead letter
 *
 * The lease epoch in the WHERE is the fence: an end under an epoch that is no longer the job's changes nothing
 * and comes back as lost.
 */
import type postgres from 'postgres'
import type { Sql } from '../db.ts'
import type { FinalStatus } from '../job-state.ts'
import { type Json, type JsonObject, storable } from '../json.ts'
import { jsonParameter, type Lease } from './row.ts'
import { hintWork } from './wake.ts'

export type End =
  | { kind: 'succeeded'; result: Json }
  | {
      kind: 'failed'
      /** How the attempt ended, for its record: threw, exited, signalled, timed_out, … */
      outcome: string
      errorCode: string
      message: string
      details?: JsonObject
      retry: boolean
      retryInSeconds: number
      /** Whether the attempt took its process down. */
      crashed: boolean
    }
  | { kind: 'interrupted' }
  /** The process was stopped because a client cancelled the job. */
  | { kind: 'cancelled' }

export interface Finished {
  lease: Lease
  /** What became of the job; `queued` when it runs again. */
  status: FinalStatus | 'queued'
}

/**
 * Safe to repeat when an answer got lost: an end that was written under the same lease before is reported as it
 * was then, not as lost.
 * @returns what became of each job, and the leases that were no longer the jobs'
 */
export async function finish(
  sql: Sql,
  ends: { lease: Lease; end: End }[],
): Promise<{ finished: Finished[]; lost: Lease[] }> {
  if (ends.length === 0) return { finished: [], lost: [] }
  const rows = ends.map(({ lease, end }) => ({ job_id: lease.jobId, epoch: lease.epoch, ...endColumns(end) }))
  const ended = sql`
    select
      jobs.*, given.kind, given.outcome, given.result, given.new_error_code, given.message, given.details, given.retry,
      coalesce(given.retry_in_seconds, 0) as retry_in_seconds, coalesce(given.crashed, false) as crashed
    from jsonb_to_recordset(${sql.json(jsonParameter(storable(rows)))}) as given (
      job_id uuid, epoch bigint, kind text, outcome text, result jsonb, new_error_code text, message text,
      details jsonb, retry boolean, retry_in_seconds float8, crashed boolean
    )
    join job_server.jobs on jobs.id = given.job_id
    where jobs.lease_epoch = given.epoch and jobs.state = 'running'
    order by jobs.id
    for update of jobs`
  const finished = await endAttempts(sql, ended)
  const without = (leases: Lease[], found: Finished[]) => {
    const epochs = new Set(found.map(({ lease }) => lease.epoch))
    return leases.filter(({ epoch }) => !epochs.has(epoch))
  }
  const notNow = without(
    ends.map(({ lease }) => lease),
    finished,
  )
  const before = await endedBefore(sql, notNow)
  return { finished: [...finished, ...before], lost: without(notNow, before) }
}

/** Those of the leases under which an end was already written by their owner. */
async function endedBefore(sql: Sql, leases: Lease[]): Promise<Finished[]> {
  if (leases.length === 0) return []
  // attempts_pk and job_history_pk; the epoch in history is that of the attempt which decided the job.
  const rows = await sql<{ jobId: string; epoch: string; status: Finished['status'] }[]>`
    select attempts.job_id, attempts.lease_epoch as epoch, coalesce(job_history.status, 'queued') as status
    from unnest(${leases.map(({ jobId }) => jobId)}::uuid[], ${leases.map(({ epoch }) => epoch)}::bigint[]) as lease (job_id, epoch)
    join job_server.attempts on attempts.job_id = lease.job_id and attempts.lease_epoch = lease.epoch
    left join job_server.job_history on job_history.id = lease.job_id and job_history.lease_epoch = lease.epoch
    where attempts.outcome <> 'lease_expired'`
  return rows.map(({ jobId, epoch, status }) => ({ lease: { jobId, epoch }, status }))
}

/** Takes jobs from owners whose leases ran out; each such attempt is recorded and charged. */
export async function rescue(sql: Sql, options: { limit: number }): Promise<Finished[]> {
  // jobs_lease_idx; skip locked lets any number of rescuers share the work.
  const expired = sql`
    select
      jobs.*, 'failed' as kind, 'lease_expired' as outcome, null::jsonb as result, 'lease_expired' as new_error_code,
      'The worker ' || worker_id || ' stopped renewing its lease.' as message, null::jsonb as details, true as retry,
      0::float8 as retry_in_seconds, true as crashed
    from job_server.jobs
    where state = 'running' and lease_expires_at < now()
    order by lease_expires_at
    limit ${options.limit}
    for update skip locked`
  return await endAttempts(sql, expired)
}

function endColumns(end: End): JsonObject {
  switch (end.kind) {
    case 'succeeded':
      return { kind: end.kind, outcome: 'succeeded', result: end.result }
    case 'interrupted':
      return { kind: end.kind, outcome: 'interrupted' }
    case 'cancelled':
      return { kind: end.kind, outcome: 'cancelled' }
    case 'failed':
      return {
        kind: end.kind,
        outcome: end.outcome,
        new_error_code: end.errorCode,
        message: end.message,
        details: end.details ?? null,
        retry: end.retry,
        retry_in_seconds: end.retryInSeconds,
        crashed: end.crashed,
      }
  }
}

async function endAttempts(sql: Sql, ended: postgres.PendingQuery<postgres.Row[]>): Promise<Finished[]> {
  const rows = await sql<{ jobId: string; epoch: string; status: Finished['status'] }[]>`
    with ended as materialized (${ended}),
    -- Every column comes from the row as it was locked: joining jobs again would read the statement's snapshot,
    -- and miss a cancel that was committed while we waited for the lock.
    decided as materialized (
      select
        *,
        case
          when cancel_requested_at is not null or kind = 'cancelled' then 'cancelled'
          when kind = 'succeeded' then 'succeeded'
          when kind = 'interrupted' then 'queued'
          when retry and attempts < max_attempts then 'queued'
          else 'failed'
        end as status
      from ended
    ),
    requeued as (
      update job_server.jobs set
        state = case when decided.kind = 'interrupted' or decided.retry_in_seconds = 0 then 'ready' else 'scheduled' end,
        scheduled_at = case when decided.kind = 'interrupted' then null else now() + make_interval(secs => decided.retry_in_seconds) end,
        attempts = decided.attempts - case when decided.kind = 'interrupted' then 1 else 0 end,
        crash_count = decided.crash_count + decided.crashed::int,
        error_code = coalesce(decided.new_error_code, decided.error_code),
        error_summary = coalesce(decided.message, decided.error_summary),
        worker_id = null,
        lease_epoch = null,
        lease_expires_at = null
      from decided
      where jobs.id = decided.id and decided.status = 'queued'
    ),
    removed as (
      delete from job_server.jobs using decided where jobs.id = decided.id and decided.status <> 'queued'
    ),
    archived as (
      insert into job_server.job_history (
        id, definition_key, definition_version, queue, status, priority, attempts, max_attempts, crash_count,
        timeout_seconds, idempotency_key, params, progress, result, error_code, error_summary,
        queued_at, scheduled_at, started_at, finished_at, heartbeat_at, worker_id, lease_epoch
      )
      select
        id, definition_key, definition_version, queue, status, priority, attempts, max_attempts, crash_count + crashed::int,
        timeout_seconds, idempotency_key, params, progress, case when status = 'succeeded' then result end,
        case when status = 'failed' then new_error_code end, case when status = 'failed' then message end,
        queued_at, scheduled_at, started_at, now(), heartbeat_at, worker_id, lease_epoch
      from decided
      where status <> 'queued'
    ),
    buried as (
      insert into job_server.dead_letters (
        id, original_job_id, definition_key, definition_version, queue, priority, attempts, max_attempts, params,
        idempotency_key, error_code, error_summary, queued_at, started_at, finished_at
      )
      select
        gen_random_uuid(), id, definition_key, definition_version, queue, priority, attempts, max_attempts, params,
        idempotency_key, new_error_code, message, queued_at, started_at, now()
      from decided
      where status = 'failed'
    ),
    recorded as (
      insert into job_server.attempts (job_id, lease_epoch, attempt, worker_id, started_at, ended_at, outcome, error_code, error)
      select
        id, lease_epoch, attempts, worker_id, started_at, now(), case when status = 'cancelled' then 'cancelled' else outcome end,
        new_error_code, jsonb_strip_nulls(jsonb_build_object('message', message, 'details', details))
      from decided
    ),
    noted as (
      insert into job_server.events (job_id, event_type, payload)
      select
        id,
        case when status <> 'queued' then status when kind = 'interrupted' then 'interrupted' else 'retry_scheduled' end,
        jsonb_strip_nulls(jsonb_build_object(
          'attempt', attempts,
          'outcome', outcome,
          'errorCode', new_error_code,
          'message', message,
          'retryInSeconds', case when status = 'queued' and kind = 'failed' then retry_in_seconds end
        ))
      from decided
    )
    select id as job_id, lease_epoch as epoch, status from decided`
  if (rows.some(({ status }) => status === 'queued')) hintWork(sql)
  return rows.map(({ jobId, epoch, status }) => ({ lease: { jobId, epoch }, status }))
}
