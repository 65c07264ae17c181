/** Makes an API key. */
import type { Sql } from '../db.ts'
import { newId } from '../ids.ts'
import { type ApiKey, hashSecret, keyColumns, newSecret, prefixOf, type Scope } from './key.ts'

/** @returns the key and its secret, which nobody can read again */
export async function createKey(
  sql: Sql,
  { name, scopes, expiresInDays }: { name: string; scopes: Scope[]; expiresInDays?: number | undefined },
): Promise<{ key: ApiKey; secret: string }> {
  const secret = newSecret()
  const [key] = await sql<ApiKey[]>`
    insert into job_server.api_keys (id, name, scopes, secret_hash, prefix, expires_at)
    values (
      ${newId()}, ${name}, ${scopes}::text[], ${hashSecret(secret)}, ${prefixOf(secret)},
      now() + make_interval(secs => ${expiresInDays === undefined ? null : expiresInDays * 86_400}::float8)
    )
    returning ${keyColumns(sql)}`
  if (key === undefined) throw new Error('the key was not written')
  return { key, secret }
}
