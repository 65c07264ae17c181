/** Reads how the children of a job ended, for the attempt that goes on after them. */
import type { Sql } from '../db.ts'
import type { ChildEnd } from '../job.ts'

/** @param since `ClaimedJob.childrenSince`: only the newest round. In the order they were enqueued in. */
export async function readChildren(sql: Sql, jobId: string, since: Date): Promise<ChildEnd[]> {
  // job_history_parent_idx
  return await sql<ChildEnd[]>`
    select id as job_id, definition_key, status, result, error_code, error_summary
    from job_server.job_history
    where parent_id = ${jobId} and queued_at >= ${since}
    order by id`
}
