/** Reads API keys: all of them, the one that a secret belongs to, whether there is any. */
import type { Sql } from '../db.ts'
import { type ApiKey, hashSecret, keyColumns } from './key.ts'

/** Revoked and expired ones too, oldest first. */
export async function listKeys(sql: Sql): Promise<ApiKey[]> {
  return await sql<ApiKey[]>`select ${keyColumns(sql)} from job_server.api_keys order by id`
}

/** Null for a secret that is unknown, revoked or expired. Notes that the key was used, once a minute. */
export async function findKey(sql: Sql, secret: string): Promise<ApiKey | null> {
  // api_keys_secret_hash_unique
  const [key] = await sql<ApiKey[]>`
    with found as materialized (
      select ${keyColumns(sql)} from job_server.api_keys
      where secret_hash = ${hashSecret(secret)} and revoked_at is null and (expires_at is null or expires_at > now())
    ),
    noted as (
      update job_server.api_keys set last_used_at = now() from found
      where api_keys.id = found.id and coalesce(found.last_used_at < now() - interval '1 minute', true)
    )
    select * from found`
  return key ?? null
}

/** Whether a key was ever made, and whether one can be used now. */
export async function keysExist(sql: Sql): Promise<{ any: boolean; usable: boolean }> {
  const [row] = await sql<{ any: boolean; usable: boolean }[]>`
    select
      exists (select from job_server.api_keys) as "any",
      exists (
        select from job_server.api_keys where revoked_at is null and (expires_at is null or expires_at > now())
      ) as usable`
  return row ?? { any: false, usable: false }
}
