/** Removes the records of fires past retention; a schedule itself remembers its last one. */
import type { Sql } from '../db.ts'

/** @returns how many were removed */
export async function removeOldFires(sql: Sql, options: { retentionDays: number }): Promise<number> {
  // schedule_fires_recorded_idx, jobs_pk. The jobs of a record that old are gone from history too; one that still lives may
  // be what a schedule waits for.
  const removed = await sql`
    delete from job_server.schedule_fires
    where recorded_at < now() - make_interval(days => ${options.retentionDays})
      and not exists (select from job_server.jobs where jobs.id = job_id offset 0)`
  return removed.count
}
