/** Revokes API keys. */
import type { Sql } from '../db.ts'
import { type ApiKey, keyColumns } from './key.ts'

/** Revoking twice keeps the first time. @returns null when there is no such key */
export async function revokeKey(sql: Sql, id: string): Promise<ApiKey | null> {
  const [key] = await sql<ApiKey[]>`
    update job_server.api_keys set revoked_at = coalesce(revoked_at, now())
    where id = ${id}
    returning ${keyColumns(sql)}`
  return key ?? null
}
