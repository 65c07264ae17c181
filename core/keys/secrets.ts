/** Secrets that all processes share, kept in the database. */
import { randomBytes } from 'node:crypto'
import type { Sql } from '../db.ts'

/** The secret of a name; made now when nobody has needed it before. 32 bytes. */
export async function sharedSecret(sql: Sql, name: string): Promise<Uint8Array> {
  const [known] = await sql<
    { value: Uint8Array }[]
  >`select value from job_server.secrets where name = ${name}`
  if (known !== undefined) return known.value
  // Of those who make it at once the first wins; the others read its.
  await sql`
    insert into job_server.secrets (name, value) values (${name}, ${randomBytes(32)})
    on conflict on constraint secrets_pk do nothing`
  const [made] = await sql<{ value: Uint8Array }[]>`select value from job_server.secrets where name = ${name}`
  if (made === undefined) throw new Error(`the secret "${name}" was not written`)
  return made.value
}
