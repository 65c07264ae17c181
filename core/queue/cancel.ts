/** Cancels jobs: at once while they wait; running ones by asking their owners, who stop the process first. */
import { type Pool, plannedAnew } from '../db.ts'
import type { FinalStatus } from '../job-state.ts'
import { type JobFilter, matching } from './filter.ts'
import { release } from './release.ts'
import { stopJobs } from './stop-jobs.ts'

export type Cancelled =
  | { kind: 'cancelled' }
  | { kind: 'cancelling' }
  | { kind: 'already_finished'; status: FinalStatus }
  | { kind: 'not_found' }

export async function cancel(sql: Pool, jobId: string): Promise<Cancelled> {
  for (;;) {
    const { cancelled, cancelling } = await cancelEach(sql, [jobId])
    if (cancelled.length > 0) return { kind: 'cancelled' }
    if (cancelling.length > 0) return { kind: 'cancelling' }
    const [finished] = await sql<{ status: FinalStatus }[]>`
      select status from job_server.job_history where id = ${jobId}`
    if (finished !== undefined) return { kind: 'already_finished', status: finished.status }
    const live = await sql`select from job_server.jobs where id = ${jobId}`
    if (live.length === 0) return { kind: 'not_found' }
    // It changed hands between two of the statements.
  }
}

/** Ids of jobs that are cancelled now, and of those whose owners were asked. */
export interface CancelledMany {
  cancelled: string[]
  cancelling: string[]
}

/** Up to `limit` live jobs that match and were not asked to stop before, oldest first. */
export async function cancelMatching(
  sql: Pool,
  filter: JobFilter,
  { limit }: { limit: number },
): Promise<CancelledMany> {
  // jobs_pk or jobs_definition_idx: only live jobs are looked at, never history.
  const found = await plannedAnew(sql<{ id: string }[]>`
    select id from job_server.jobs
    where ${matching(sql, filter).live} and cancel_requested_at is null
    order by id
    limit ${limit}`)
  return await cancelEach(
    sql,
    found.map(({ id }) => id),
  )
}

async function cancelEach(sql: Pool, jobIds: string[]): Promise<CancelledMany> {
  const { ended, cancelling } = await stopJobs(sql, jobIds)
  await release(sql, ended)
  const endedIds = new Set(ended.map(({ jobId }) => jobId))
  return { cancelled: jobIds.filter((id) => endedIds.has(id)), cancelling }
}
