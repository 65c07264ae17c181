/** Cancels a job: at once while it waits; a running one by asking its owner, who stops the process first. */
import type { Sql } from '../db.ts'
import type { FinalStatus } from '../job-state.ts'
import { hintCancel } from './wake.ts'

export type Cancelled =
  | { kind: 'cancelled' }
  | { kind: 'cancelling' }
  | { kind: 'already_finished'; status: FinalStatus }
  | { kind: 'not_found' }

export async function cancel(sql: Sql, jobId: string): Promise<Cancelled> {
  // jobs_pk. The row lock of `target` decides between us and a claim or a finish; whoever waited sees the outcome.
  const [row] = await sql<{ state: string }[]>`
    with target as materialized (
      select * from job_server.jobs where id = ${jobId} for update
    ),
    removed as (
      delete from job_server.jobs using target where jobs.id = target.id and target.state <> 'running'
    ),
    archived as (
      insert into job_server.job_history (
        id, definition_key, definition_version, queue, status, priority, attempts, max_attempts, crash_count,
        timeout_seconds, idempotency_key, params, progress, queued_at, scheduled_at, started_at, finished_at, heartbeat_at
      )
      select
        id, definition_key, definition_version, queue, 'cancelled', priority, attempts, max_attempts, crash_count,
        timeout_seconds, idempotency_key, params, progress, queued_at, scheduled_at, started_at, now(), heartbeat_at
      from target
      where state <> 'running'
    ),
    flagged as (
      update job_server.jobs set cancel_requested_at = now()
      from target
      where jobs.id = target.id and target.state = 'running' and target.cancel_requested_at is null
    ),
    noted as (
      insert into job_server.events (job_id, event_type)
      select id, case when state = 'running' then 'cancelling' else 'cancelled' end
      from target
      where cancel_requested_at is null
    )
    select state from target`
  if (row?.state === 'running') {
    await hintCancel(sql, jobId)
    return { kind: 'cancelling' }
  }
  if (row !== undefined) return { kind: 'cancelled' }
  const [finished] = await sql<{ status: FinalStatus }[]>`
    select status from job_server.job_history where id = ${jobId}`
  return finished === undefined
    ? { kind: 'not_found' }
    : { kind: 'already_finished', status: finished.status }
}
