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
      -- One that an open transaction has taken anew is not waited for.
      for update skip locked
    )`
  return removed.count
}
