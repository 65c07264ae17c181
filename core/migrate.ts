/**
 * Brings the database to the schema of this version: the files of `migrations/`, in order, each once, each in
 * a transaction of its own together with its record. An advisory lock per transaction (no session state, so a
 * pooler may stand between) makes any number of processes that start at once take turns.
 */
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Pool } from './db.ts'

const directory = fileURLToPath(new URL('../migrations/', import.meta.url))
const oldestServer = 140_000

/** A migration that was applied has another text now; the database and the code have parted ways. */
export class MigrationChanged extends Error {
  override readonly name = 'MigrationChanged'
}

/**
 * @returns the names of the migrations that this call applied
 * @throws MigrationChanged when an applied file was edited; Error when PostgreSQL is older than 14
 */
export async function migrate(sql: Pool): Promise<string[]> {
  await requireServerVersion(sql)
  const applied: string[] = []
  for (const name of (await readdir(directory)).filter((file) => file.endsWith('.sql')).sort()) {
    const text = await readFile(`${directory}${name}`, 'utf8')
    if (await applyOnce(sql, name, text)) applied.push(name)
  }
  return applied
}

async function requireServerVersion(sql: Pool): Promise<void> {
  const [row] = await sql<{ version: number }[]>`select current_setting('server_version_num')::int as version`
  if (row !== undefined && row.version < oldestServer) {
    throw new Error(`PostgreSQL 14 or newer is needed, this is ${Math.floor(row.version / 10_000)}`)
  }
}

async function applyOnce(sql: Pool, name: string, text: string): Promise<boolean> {
  const checksum = createHash('sha256').update(text).digest('hex')
  return await sql.begin(async (tx) => {
    await tx`select pg_advisory_xact_lock(hashtext('job-server.migrate'))`
    await tx`create schema if not exists job_server`
    await tx`set local search_path to job_server, pg_catalog`
    await tx`
      create table if not exists job_server.schema_migrations (
        name text primary key,
        checksum text not null,
        applied_at timestamptz not null default now()
      )`
    const [known] = await tx<{ checksum: string }[]>`
      select checksum from job_server.schema_migrations where name = ${name}`
    if (known !== undefined) {
      if (known.checksum !== checksum) {
        throw new MigrationChanged(
          `migrations/${name} was edited after it was applied; add a new file instead`,
        )
      }
      return false
    }
    await tx.unsafe(text)
    await tx`insert into job_server.schema_migrations (name, checksum) values (${name}, ${checksum})`
    return true
  })
}
