/** Removes idempotency keys past their time. */
import type { Sql } from '../db.ts'

/** @returns how many were removed */
export async function removeExpiredKeys(sql: Sql, options: { limit: number }): Promise<number> {
  // idempotency_keys_expiry_idx
  const removed = await sql`
    delete from job_server.idempotency_keys
    where (definition_key, kind, key) in (
      select definition_key, kind, key from job_server.idempotency_keys
      where expires_at < now()
      limit ${options.limit}
    )
    -- Once more: it may have been taken anew while this waited for it.
    and expires_at < now()`
  return removed.count
}
