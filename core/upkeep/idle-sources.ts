/** Removes the bytes of completed uploads that nothing has used for as long as sources are kept. */
import type { Pool, Sql } from '../db.ts'
import type { Storage } from '../storage/client.ts'
import { oneByOne } from '../storage/one-by-one.ts'

/**
 * An upload is in use while a job that names it lives or a schedule names it, and was last used when the last such job
 * ended. A dead letter that can still be redriven counts as long as history does.
 * @param options.retentionDays since its last use, or since its completion
 * @param options.historyDays how long history is kept
 * @returns how many were removed, and how many are still in use; each of those is looked at again after its retention
 */
export async function removeIdleSources(
  sql: Pool,
  storage: Storage,
  options: { retentionDays: number; historyDays: number; limit: number; signal?: AbortSignal | undefined },
): Promise<{ removed: number; inUse: number }> {
  const isIdle = (of: Sql) => of`
    status = 'completed' and bytes_removed_at is null
    and coalesce(used_at, ended_at) < now() - make_interval(days => ${options.retentionDays}::int)`
  // uploads_idle_idx; skip locked passes by what is being enqueued.
  const idle = await sql<{ id: string; objectKey: string }[]>`
    select id, object_key from job_server.uploads
    where ${isIdle(sql)}
    order by coalesce(used_at, ended_at)
    limit ${options.limit}
    for update skip locked`
  if (idle.length === 0) return { removed: 0, inUse: 0 }
  // Of most at once: one at a time, as they have to be removed, would be a statement for each.
  const inUse = await noteUses(
    sql,
    idle.map(({ id }) => id),
    options,
  )
  const removed = await oneByOne(
    sql,
    idle.filter(({ id }) => !inUse.has(id)),
    async (tx, { id, objectKey }, still) => {
      // uploads_pk; skip locked lets any number of callers share the work.
      const [held] = await tx`
        select ${still} from job_server.uploads where id = ${id} and ${isIdle(tx)} for update skip locked`
      if (held === undefined || (await noteUses(tx, [id], options)).has(id)) return false
      // First the bytes: a crash in between repeats the removal, never forgets it.
      await storage.remove(objectKey, { signal: options.signal })
      await tx`update job_server.uploads set bytes_removed_at = now() where id = ${id}`
      await tx`delete from job_server.source_uses where owner_id = ${id}`
      return true
    },
    options.signal,
  )
  return { removed, inUse: inUse.size }
}

/**
 * After the statement that locked them it sees every job that was enqueued before, and those after wait.
 * @returns which of them were used within the retention
 */
async function noteUses(
  tx: Sql,
  ids: string[],
  { retentionDays, historyDays }: { retentionDays: number; historyDays: number },
): Promise<Set<string>> {
  // source_uses_pk, jobs_pk, job_history_pk of one partition, dead_letters_original_job_unique; schedules are few.
  const inUse = await tx<{ id: string }[]>`
    with uses as (
      select owner_id as id, use.at
      from job_server.source_uses
      cross join lateral (
        select now() as at from job_server.jobs where jobs.id = source_uses.job_id
        union all
        select finished_at from job_server.job_history where job_history.id = source_uses.job_id
        union all
        select moved_to_dlq_at + make_interval(days => greatest(0, ${historyDays}::int - ${retentionDays}::int))
        from job_server.dead_letters
        where original_job_id = source_uses.job_id and redriven_at is null
      ) as use
      where owner_id = any(${ids}::uuid[])
      union all
      select uploads.id, now()
      from job_server.uploads
      join job_server.schedules on strpos(schedules.params::text, uploads.object_key) > 0
      where uploads.id = any(${ids}::uuid[])
    ),
    last_uses as (select id, max(at) as at from uses group by id)
    update job_server.uploads set used_at = last_uses.at
    from last_uses
    where uploads.id = last_uses.id and last_uses.at >= now() - make_interval(days => ${retentionDays}::int)
    returning uploads.id`
  return new Set(inUse.map(({ id }) => id))
}
