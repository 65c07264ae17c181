/** Removes what jobs wrote once their history is dropped: nothing can name it to a client any more. */
import type { Pool, Sql } from '../db.ts'
import type { Storage } from '../storage/client.ts'
import { outputPrefix } from '../storage/keys.ts'
import { oneByOne } from '../storage/one-by-one.ts'
import { removeBelow } from '../storage/remove-below.ts'

/**
 * Outputs that a living job reads stay until it has ended. A crash in between repeats the removal, never forgets it.
 * @returns of how many jobs
 */
export async function removeOldOutputs(
  sql: Pool,
  storage: Storage,
  options: { retentionDays: number; limit: number; signal?: AbortSignal | undefined },
): Promise<number> {
  const { retentionDays, limit, signal } = options
  // job_outputs_pk, jobs_pk, job_history_pk, source_uses_pk; skip locked passes by what is being enqueued.
  const old = await sql<{ jobId: string }[]>`
    select job_id from job_server.job_outputs
    where job_id < job_server.uuid_v7_floor(now() - make_interval(days => ${retentionDays}::int))
      and not exists (select from job_server.jobs where jobs.id = job_outputs.job_id)
      and not exists (select from job_server.job_history where job_history.id = job_outputs.job_id)
      and not ${isRead(sql)}
    order by job_id
    limit ${limit}
    for update skip locked`
  return await oneByOne(
    sql,
    old,
    async (tx, { jobId }, still) => {
      const [held] = await tx`
        select ${still} from job_server.job_outputs where job_id = ${jobId} for update skip locked`
      if (held === undefined) return false
      // A statement of its own: it sees what was enqueued until the lock was had, and what comes later waits.
      const [unread] = await tx`
        select from job_server.job_outputs where job_id = ${jobId} and not ${isRead(tx)}`
      if (unread === undefined || !(await removeBelow(storage, outputPrefix(jobId), signal))) return false
      await tx`delete from job_server.job_outputs where job_id = ${jobId}`
      await tx`delete from job_server.source_uses where owner_id = ${jobId}`
      return true
    },
    signal,
  )
}

function isRead(sql: Sql) {
  return sql`
    exists (
      select from job_server.source_uses join job_server.jobs on jobs.id = source_uses.job_id
      where owner_id = job_outputs.job_id
    )`
}
