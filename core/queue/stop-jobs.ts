/** Stops jobs: those that wait end at once; of those that run the owners are asked, who stop the process first. */
import type { Pool } from '../db.ts'
import { type EndedJob, endedAs, endJobs } from './end-jobs.ts'
import { probe } from './probe.ts'
import { hintCancel } from './wake.ts'

/** Of looks at jobs that changed hands between two statements; one would have to do so each time. */
const mostRounds = 10

interface Reason {
  errorCode: string
  message: string
}

/**
 * @param why of what is cancelled because of another job
 * @returns jobs that ended, whose consequences are the caller's to bring about (`release`), and the ids of those that run,
 *   asked now or before
 */
export async function stopJobs(
  sql: Pool,
  jobIds: string[],
  why?: Reason,
): Promise<{ ended: EndedJob[]; cancelling: string[] }> {
  const ended: EndedJob[] = []
  const cancelling: string[] = []
  let left = jobIds
  for (let round = 0; left.length > 0 && round < mostRounds; round++) {
    const endedNow = await endWaiting(sql, left, why)
    ended.push(...endedNow)
    left = without(
      left,
      endedNow.map(({ jobId }) => jobId),
    )
    const asked = await askOwners(sql, left)
    cancelling.push(...asked)
    // One that ran when the first statement looked, and was put back before the second did, is in neither.
    left = await stillLive(sql, without(left, asked))
  }
  return { ended, cancelling }
}

function without(ids: string[], gone: string[]): string[] {
  const known = new Set(gone)
  return ids.filter((id) => !known.has(id))
}

async function endWaiting(sql: Pool, jobIds: string[], why: Reason | undefined): Promise<EndedJob[]> {
  // jobs_pk
  return await endJobs(
    sql,
    sql`
      select jobs.*, ${endedAs(sql, { kind: 'cancelled', outcome: 'cancelled', ...why })}
      from job_server.jobs
      where id = any(${jobIds}::uuid[]) and state <> 'running'
      order by id
      for update`,
  )
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

async function stillLive(sql: Pool, jobIds: string[]): Promise<string[]> {
  if (jobIds.length === 0) return []
  // jobs_pk
  const rows = await sql<{ id: string }[]>`
    select id from job_server.jobs where id = any(${jobIds}::uuid[])`
  return rows.map(({ id }) => id)
}
