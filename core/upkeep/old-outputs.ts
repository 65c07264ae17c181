/** Removes what jobs wrote once their history is dropped: nothing can name it to a client any more. */
import type { Pool } from '../db.ts'
import type { Storage } from '../storage/client.ts'
import { outputPrefix } from '../storage/keys.ts'

/**
 * Outputs that a living job reads stay until it has ended. A crash in between repeats the removal, never forgets it.
 * @returns of how many jobs
 */
export async function removeOldOutputs(
  sql: Pool,
  storage: Storage,
  options: { retentionDays: number; limit: number },
): Promise<number> {
  return await sql.begin(async (tx) => {
    const isRead = tx`
      exists (
        select from job_server.source_uses join job_server.jobs on jobs.id = source_uses.job_id
        where owner_id = job_outputs.job_id
      )`
    // job_outputs_pk, jobs_pk, job_history_pk, source_uses_pk; skip locked passes by what is being enqueued.
    const old = await tx<{ jobId: string }[]>`
      select job_id from job_server.job_outputs
      where job_id < job_server.uuid_v7_floor(now() - make_interval(days => ${options.retentionDays}::int))
        and not exists (select from job_server.jobs where jobs.id = job_outputs.job_id)
        and not exists (select from job_server.job_history where job_history.id = job_outputs.job_id)
        and not ${isRead}
      order by job_id
      limit ${options.limit}
      for update skip locked`
    if (old.length === 0) return 0
    // Again, as a statement of its own: it sees what was enqueued until the lock was had, and what comes later waits.
    const unread = await tx<{ jobId: string }[]>`
      select job_id from job_server.job_outputs
      where job_id = any(${old.map(({ jobId }) => jobId)}::uuid[]) and not ${isRead}`
    const ids = unread.map(({ jobId }) => jobId)
    for (const jobId of ids) {
      for await (const { key } of storage.list(outputPrefix(jobId))) await storage.remove(key)
    }
    await tx`delete from job_server.job_outputs where job_id = any(${ids}::uuid[])`
    await tx`delete from job_server.source_uses where owner_id = any(${ids}::uuid[])`
    return ids.length
  })
}
