/** Removes dead letters past retention, redriven or not. */
import type { Sql } from '../db.ts'

/** The oldest first. @returns how many were removed */
export async function removeOldDeadLetters(
  sql: Sql,
  options: { retentionDays: number; limit: number },
): Promise<number> {
  // dead_letters_moved_idx, backwards; skip locked passes by what is being redriven.
  const removed = await sql`
    delete from job_server.dead_letters where id in (
      select id from job_server.dead_letters
      where moved_to_dlq_at < now() - make_interval(days => ${options.retentionDays}::int)
      order by moved_to_dlq_at
      limit ${options.limit}
      for update skip locked
    )`
  return removed.count
}
