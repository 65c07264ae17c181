/** Removes begun attempts that no rate limit looks back at any more. */
import type { Sql } from '../db.ts'

/** @returns how many were removed */
export async function removeOldStarts(sql: Sql): Promise<number> {
  // rate_starts_idx
  const removed = await sql`
    delete from job_server.rate_starts
    where not exists (
      select from job_server.definitions
      where key = definition_key and version = definition_version
        and started_at > now() - make_interval(secs => rate_limit_seconds)
    )`
  return removed.count
}
