/** Removes what is in storage for nobody: of attempts whose workers died, and of children whose parent has ended. */
import type { Pool } from '../db.ts'
import type { Storage } from '../storage/client.ts'
import { attemptPrefix } from '../storage/keys.ts'
import { oneByOne } from '../storage/one-by-one.ts'
import { removeBelow } from '../storage/remove-below.ts'

/**
 * Rescue notes each such attempt, for a time when the links that its process may still hold are dead. A crash in
 * between repeats the removal, never forgets it.
 * @returns how many attempts were tidied up after
 */
export async function removeStrayOutputs(
  sql: Pool,
  storage: Storage,
  options: { limit: number; signal?: AbortSignal | undefined },
): Promise<number> {
  const { limit, signal } = options
  // stray_outputs_due_idx, then job_history pk and jobs_pk for each child of a job that still runs.
  await sql`
    update job_server.stray_outputs set remove_after = now()
    where remove_after = 'infinity' and not exists (
      select from job_server.job_history as child
      join job_server.jobs as parent on parent.id = child.parent_id
      where child.id = stray_outputs.job_id
    )`
  // stray_outputs_due_idx
  const strays = await sql<{ jobId: string; leaseEpoch: string }[]>`
    select job_id, lease_epoch from job_server.stray_outputs
    where remove_after <= now()
    order by remove_after
    limit ${limit}
    for update skip locked`
  return await oneByOne(
    sql,
    strays,
    async (tx, { jobId, leaseEpoch }, still) => {
      // stray_outputs_pk; skip locked lets any number of callers share the work.
      const [held] = await tx`
        select ${still} from job_server.stray_outputs where lease_epoch = ${leaseEpoch} for update skip locked`
      if (held === undefined) return false
      if (!(await removeBelow(storage, attemptPrefix(jobId, leaseEpoch), signal))) return false
      await tx`delete from job_server.stray_outputs where lease_epoch = ${leaseEpoch}`
      return true
    },
    signal,
  )
}
