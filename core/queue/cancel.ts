/** Cancels a job: at once while it waits; a running one by asking its owner, who stops the process first. */
import type { Pool } from '../db.ts'
import type { FinalStatus } from '../job-state.ts'
import { endJobs } from './end-jobs.ts'
import { release } from './release.ts'
import { hintCancel } from './wake.ts'

export type Cancelled =
  | { kind: 'cancelled' }
  | { kind: 'cancelling' }
  | { kind: 'already_finished'; status: FinalStatus }
  | { kind: 'not_found' }

export async function cancel(sql: Pool, jobId: string): Promise<Cancelled> {
  for (;;) {
    const ended = await endJobs(
      sql,
      sql`
        select
          jobs.*, 'cancelled' as kind, 'cancelled' as outcome, null::jsonb as result, null::text as new_error_code,
          null::text as message, null::jsonb as details, false as retry, 0::float8 as retry_in_seconds,
          false as crashed, null::text as child_failure
        from job_server.jobs
        where id = ${jobId} and state <> 'running'
        for update`,
    )
    if (ended.length > 0) {
      await release(sql, ended)
      return { kind: 'cancelled' }
    }
    if (await askOwner(sql, jobId)) {
      await hintCancel(sql, jobId)
      return { kind: 'cancelling' }
    }
    const [finished] = await sql<{ status: FinalStatus }[]>`
      select status from job_server.job_history where id = ${jobId}`
    if (finished !== undefined) return { kind: 'already_finished', status: finished.status }
    const live = await sql`select from job_server.jobs where id = ${jobId}`
    if (live.length === 0) return { kind: 'not_found' }
    // It changed hands between two of the statements.
  }
}

/** @returns whether the job runs */
async function askOwner(sql: Pool, jobId: string): Promise<boolean> {
  const rows = await sql`
    with running as materialized (
      select id, cancel_requested_at from job_server.jobs where id = ${jobId} and state = 'running' for update
    ),
    flagged as (
      update job_server.jobs set cancel_requested_at = now()
      from running
      where jobs.id = running.id and running.cancel_requested_at is null
    ),
    noted as (
      insert into job_server.events (job_id, event_type)
      select id, 'cancelling' from running where cancel_requested_at is null
    )
    select id from running`
  return rows.length > 0
}
