/** Stops jobs: those that wait end at once; of those that run the owners are asked, who stop the process first. */
import type { Pool } from '../db.ts'
import { type EndedJob, endedAs, endJobs } from './end-jobs.ts'
import { probe } from './probe.ts'
import { hintCancel } from './wake.ts'

/**
 * @param why of what is cancelled because of another job
 * @returns jobs that ended, whose consequences are the caller's to bring about (`release`), and the ids of those that run,
 *   asked now or before
 */
export async function stopJobs(
  sql: Pool,
  jobIds: string[],
  why?: { errorCode: string; message: string },
): Promise<{ ended: EndedJob[]; cancelling: string[] }> {
  if (jobIds.length === 0) return { ended: [], cancelling: [] }
  // jobs_pk
  const ended = await endJobs(
    sql,
    sql`
      select jobs.*, ${endedAs(sql, { kind: 'cancelled', outcome: 'cancelled', ...why })}
      from job_server.jobs
      where id = any(${jobIds}::uuid[]) and state <> 'running'
      order by id
      for update`,
  )
  const endedIds = new Set(ended.map(({ jobId }) => jobId))
  const cancelling = await askOwners(
    sql,
    jobIds.filter((id) => !endedIds.has(id)),
  )
  return { ended, cancelling }
}

async function askOwners(sql: Pool, jobIds: string[]): Promise<string[]> {
  if (jobIds.length === 0) return []
  // In the order in which ends are written: two that meet wait for one another, and not in a circle.
  const rows = await sql<{ id: string }[]>`
    with running as materialized (
      select id, cancel_requested_at from job_server.jobs
      where id = any(${jobIds}::uuid[]) and state = 'running'
      order by id
      for update
    ),
    flagged as (
      update job_server.jobs set cancel_requested_at = now()
      from running
      where ${probe(sql, sql`jobs.id`, sql`running.id`)} and running.cancel_requested_at is null
    ),
    noted as (
      insert into job_server.events (job_id, event_type)
      select id, 'cancelling' from running where cancel_requested_at is null
    )
    select id from running`
  const ids = rows.map(({ id }) => id)
  await hintCancel(sql, ids)
  return ids
}
