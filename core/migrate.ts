/**
 * Brings the database to the schema of this version: the files of `migrations/`, in order, each once, each in
 * a transaction of its own together with its record. An advisory lock per transaction (no session state, so a
 * pooler may stand between) makes any number of processes that start at once take turns.
 *
 * What a file changes may be in use: behind who waits for a table everybody else waits, too. So it waits for a moment
 * only, lets the others through and tries again.
 */
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isInUse, type Pool, type Sql } from './db.ts'

const ours = fileURLToPath(new URL('../migrations', import.meta.url))
const oldestServer = 140_000
const lockTimeoutMs = 2000
/** Those who waited behind it get through. */
const pauseMs = 1000

/** A migration that was applied has another text now; the database and the code have parted ways. */
export class MigrationChanged extends Error {
  override readonly name = 'MigrationChanged'
}

/** What a migration changes was in use for too long. Nothing of it is done. */
export class MigrationBlocked extends Error {
  override readonly name = 'MigrationBlocked'
}

export interface MigrateOptions {
  /** Of files to apply; default: our own. */
  directory?: string
  /** How long a file is tried while what it changes is in use; default: 10 minutes. */
  patienceSeconds?: number
  /** Is told each time, and by whom as far as can be seen. */
  onBlocked?(problem: string): void
}

/**
 * Any number of processes may do it at once, on a database that is empty or has the schema of an earlier version.
 * @param sql a postgres.js pool, the caller's own or ours; one connection is enough
 * @returns the names of the migrations that this call applied
 * @throws MigrationChanged when an applied file was edited; MigrationBlocked; Error when PostgreSQL is older than 14
 */
export async function migrate(sql: Pool, options: MigrateOptions = {}): Promise<string[]> {
  const { directory = ours } = options
  await requireServerVersion(sql)
  const applied: string[] = []
  for (const name of (await readdir(directory)).filter((file) => file.endsWith('.sql')).sort()) {
    const text = await readFile(join(directory, name), 'utf8')
    if (await applyUnblocked(sql, { name, text }, options)) applied.push(name)
  }
  return applied
}

async function requireServerVersion(sql: Pool): Promise<void> {
  const [row] = await sql<{ version: number }[]>`select current_setting('server_version_num')::int as version`
  if (row !== undefined && row.version < oldestServer) {
    throw new Error(`PostgreSQL 14 or newer is needed, this is ${Math.floor(row.version / 10_000)}`)
  }
}

interface Migration {
  name: string
  text: string
}

async function applyUnblocked(
  sql: Pool,
  migration: Migration,
  { patienceSeconds = 600, onBlocked }: MigrateOptions,
): Promise<boolean> {
  const end = performance.now() + patienceSeconds * 1000
  for (;;) {
    try {
      return await applyOnce(sql, migration)
    } catch (error) {
      if (!isInUse(error)) throw error
      const problem = `migrations/${migration.name} can't change what is in use. ${await oldestTransactions(sql)}`
      if (performance.now() > end) throw new MigrationBlocked(problem, { cause: error })
      onBlocked?.(problem)
      await new Promise((resolve) => setTimeout(resolve, pauseMs))
    }
  }
}

/** One of them it is, as a rule. */
async function oldestTransactions(sql: Sql): Promise<string> {
  const open = await sql<{ pid: number; application: string; seconds: number }[]>`
    select pid, application_name as application, extract(epoch from now() - xact_start)::float8 as seconds
    from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and xact_start is not null
    order by xact_start
    limit 3`
  const shown = open.map(
    ({ pid, application, seconds }) =>
      `pid ${pid} (${application || 'no name'}) since ${Math.round(seconds)} s`,
  )
  return shown.length === 0
    ? 'No transaction is open any more.'
    : `The oldest open transactions: ${shown.join(', ')}.`
}

async function applyOnce(sql: Pool, { name, text }: Migration): Promise<boolean> {
  const checksum = createHash('sha256').update(text).digest('hex')
  return await sql.begin(async (tx) => {
    await tx`select pg_advisory_xact_lock(hashtext('job-server.migrate'))`
    // Else whoever has the pool hears of all that was there already.
    await tx`set local client_min_messages to warning`
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
    // Only now: who migrates at the same time is waited for.
    await tx.unsafe(`set local lock_timeout = ${lockTimeoutMs}`)
    await tx.unsafe(text)
    await tx`insert into job_server.schema_migrations (name, checksum) values (${name}, ${checksum})`
    return true
  })
}
