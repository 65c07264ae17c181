import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { checkDatabase, neededMigration, openPool, type Pool } from '../../../core/db.ts'
import { MigrationBlocked, MigrationChanged, migrate } from '../../../core/migrate.ts'
import { testDatabase } from '../../support/database.ts'

const { url, sql } = await testDatabase({ empty: true })
const files = (await readdir(new URL('../../../migrations', import.meta.url)))
  .filter((name) => name.endsWith('.sql'))
  .sort()

beforeEach(async () => {
  await sql`drop schema if exists job_server cascade`
})

/** As another process would have it. */
function anotherPool(): Pool {
  const pool = openPool({ DATABASE_URL: url, DATABASE_POOL_SIZE: 1 }, 'test migrate')
  onTestFinished(() => pool.end())
  return pool
}

const recorded = () => sql<{ name: string }[]>`select name from job_server.schema_migrations order by name`

test('an empty database gets every file, in order, and a second call has nothing to do', async () => {
  expect(await migrate(sql)).toEqual(files)
  expect(await recorded()).toEqual(files.map((name) => ({ name })))
  expect(await migrate(sql)).toEqual([])
})

test('a program is not ready while the newest migration is missing, and is with a schema of a later version', async () => {
  expect(neededMigration).toBe(files.at(-1))
  await expect(checkDatabase(sql)).rejects.toThrow('schema_migrations')
  await migrate(sql)
  await sql`insert into job_server.schema_migrations (name, checksum) values ('9999_later.sql', '')`
  await checkDatabase(sql)
  await sql`delete from job_server.schema_migrations where name = ${neededMigration}`
  await expect(checkDatabase(sql)).rejects.toThrow(neededMigration)
})

test("a program's own pool migrates, whatever it makes of names, and hears nothing of it", async () => {
  const said: unknown[] = []
  const theirs = postgres(url, {
    max: 1,
    transform: postgres.camel,
    onnotice: ({ message }) => said.push(message),
  })
  onTestFinished(() => theirs.end())
  expect(await migrate(theirs)).toEqual(files)
  expect(await migrate(theirs)).toEqual([])
  expect(said).toEqual([])
  const [level] = await theirs`show client_min_messages`
  expect(level).toEqual({ clientMinMessages: 'notice' })
})

test('ten processes that start at once on an empty database apply each file once', async () => {
  const applied = await Promise.all(Array.from({ length: 10 }, () => migrate(anotherPool())))
  expect(applied.flat().sort()).toEqual(files)
  expect(await recorded()).toEqual(files.map((name) => ({ name })))
})

test('who comes while another migrates waits for it, and then has nothing to do', async () => {
  const late = anotherPool()
  const other = anotherPool()
  const { waiting } = await other.begin(async (tx) => {
    await tx`select pg_advisory_xact_lock(hashtext('job-server.migrate'))`
    const outcome = migrate(late)
    await expect.poll(async () => (await waitingForLocks()).length).toBe(1)
    return { waiting: outcome }
  })
  expect(await waiting).toEqual(files)
})

test('a file that was edited after it was applied is refused, and nothing is done', async () => {
  await migrate(sql)
  const [first, last] = [files[0] ?? '', files.at(-1) ?? '']
  await sql`update job_server.schema_migrations set checksum = 'of another text' where name = ${first}`
  await sql`delete from job_server.schema_migrations where name = ${last}`
  await expect(migrate(sql)).rejects.toThrow(MigrationChanged)
  await expect(migrate(sql)).rejects.toThrow(`migrations/${first} was edited`)
  expect(await recorded()).not.toContainEqual({ name: last })
})

test('a file that fails leaves nothing of itself, and the next call goes on with it', async () => {
  await sql`create schema job_server`
  // It stands in the way of what the first file creates.
  await sql`create function job_server.ensure_partitions(weeks_ahead integer) returns text language sql as 'select null'`
  await expect(migrate(sql)).rejects.toThrow('already exists')
  expect(await sql`select 1 from pg_tables where schemaname = 'job_server'`).toHaveLength(0)
  await sql`drop function job_server.ensure_partitions`
  expect(await migrate(sql)).toEqual(files)
})

/** One file creates a table that another changes. */
async function twoFiles(): Promise<{ directory: string; applyFirst(): Promise<void> }> {
  const directory = await mkdtemp(join(tmpdir(), 'migrations-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  await writeFile(join(directory, '0001_things.sql'), 'create table things (id integer);')
  return {
    directory,
    async applyFirst() {
      await migrate(sql, { directory })
      await writeFile(join(directory, '0002_named.sql'), 'alter table things add column name text;')
    },
  }
}

test('what is in use is changed as soon as it is not; nobody waits behind that for long', async () => {
  const { directory, applyFirst } = await twoFiles()
  await applyFirst()
  const told: string[] = []
  const migrating = await anotherPool().begin(async (tx) => {
    await tx`select from job_server.things`
    const outcome = migrate(sql, { directory, onBlocked: (problem) => told.push(problem) })
    await expect.poll(tablesWaitedFor).toEqual(['things'])
    // Behind the migration, which gives way.
    await sql`select from job_server.things`
    await expect.poll(() => told).not.toEqual([])
    return { outcome }
  })
  expect(await migrating.outcome).toEqual(['0002_named.sql'])
  expect(told[0]).toMatch(
    /^migrations\/0002_named.sql can't change what is in use. The oldest open transactions: pid \d+ \(test migrate\) since \d+ s/,
  )
  expect(await sql`select name from job_server.things`).toEqual([])
})

test('what stays in use is given up in the end, with nothing done', async () => {
  const { directory, applyFirst } = await twoFiles()
  await applyFirst()
  await anotherPool().begin(async (tx) => {
    await tx`select from job_server.things`
    await expect(migrate(sql, { directory, patienceSeconds: 0 })).rejects.toThrow(MigrationBlocked)
  })
  expect(await recorded()).toEqual([{ name: '0001_things.sql' }])
})

test('PostgreSQL older than 14 is refused by name', async () => {
  // A function before the catalogue on the search path makes the server say that it is an older one.
  await sql`create schema older`
  onTestFinished(async () => {
    await sql`drop schema older cascade`
  })
  await sql`create function older.current_setting(text) returns text language sql as $$ select '130016' $$`
  const old = openPool({ DATABASE_URL: `${url}?search_path=older,pg_catalog`, DATABASE_POOL_SIZE: 1 }, 'test')
  onTestFinished(() => old.end())
  await expect(migrate(old)).rejects.toThrow('PostgreSQL 14 or newer is needed, this is 13')
  expect(await sql`select 1 from pg_namespace where nspname = 'job_server'`).toHaveLength(0)
})

async function waitingForLocks() {
  return await sql`
    select pid from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock' and wait_event = 'advisory'`
}

async function tablesWaitedFor(): Promise<string[]> {
  const rows = await sql<{ name: string }[]>`
    select relname as name from pg_locks join pg_class on pg_class.oid = relation
    where database = (select oid from pg_database where datname = current_database()) and not granted`
  return rows.map(({ name }) => name)
}
