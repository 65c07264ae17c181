/** Removes rows about jobs whose history is dropped, and about uploads whose bytes went that long ago. */
import type { Pool } from '../db.ts'

/** @returns how many rows were removed, by what they are about */
export async function removeOrphans(
  sql: Pool,
  { retentionDays }: { retentionDays: number },
): Promise<{ history: number; uses: number; additions: number; uploads: number }> {
  const past = sql`now() - make_interval(days => ${retentionDays}::int)`
  // Of jobs that waited about as long as history is kept: their week was dropped before they ended, or before their time.
  const history = await sql`delete from job_server.job_history_default where finished_at < ${past}`
  for (const table of ['attempts_default', 'events_default', 'logs_default']) {
    await sql`delete from job_server.${sql(table)} where ${isUnknown('job_id')}`
  }
  // source_uses_job_idx. The use was at least so long ago that its job is forgotten.
  const uses = await sql`
    with removed as (delete from job_server.source_uses where ${isUnknown('job_id')} returning owner_id)
    update job_server.uploads set used_at = greatest(used_at, ${past})
    where id in (select owner_id from removed) and bytes_removed_at is null`
  // video_additions_pk
  const additions = await sql`delete from job_server.video_additions where ${isUnknown('video_id')}`
  // uploads_removed_idx
  const uploads = await sql`delete from job_server.uploads where bytes_removed_at < ${past}`
  return {
    history: history.count,
    uses: uses.count,
    additions: additions.count,
    uploads: uploads.count,
  }

  /** jobs_pk, and job_history_pk of one partition. */
  function isUnknown(column: string) {
    return sql`
      ${sql(column)} < job_server.uuid_v7_floor(${past})
      and not exists (select from job_server.jobs where jobs.id = ${sql(column)})
      and not exists (select from job_server.job_history where job_history.id = ${sql(column)})`
  }
}
