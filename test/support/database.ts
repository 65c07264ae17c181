/** A database of a test file's own: a clone of the migrated template, gone when the file is through. */
import { randomBytes } from 'node:crypto'
import postgres from 'postgres'
import { afterAll, expect, inject } from 'vitest'
import { openPool, type Pool } from '../../core/db.ts'
import { templateDatabase } from './backend.ts'
import { emptied, until } from './until.ts'

export interface TestDatabase {
  url: string
  sql: Pool
}

/** @param options.empty without the schema, for tests of the migrations themselves */
export async function testDatabase(options = { empty: false }): Promise<TestDatabase> {
  const { DATABASE_URL } = inject('backend')
  const name = `test_${randomBytes(6).toString('hex')}`
  const admin = postgres(DATABASE_URL, { max: 1, onnotice: () => {} })
  // Two clones of one template at once are refused; who waits a moment gets its turn.
  await admin`select pg_advisory_lock(1)`
  await admin.unsafe(`create database ${name}${options.empty ? '' : ` template ${templateDatabase}`}`)
  await admin`select pg_advisory_unlock(1)`
  const url = new URL(DATABASE_URL)
  url.pathname = `/${name}`
  const sql = openPool({ DATABASE_URL: url.href, DATABASE_POOL_SIZE: 10 }, 'test')
  afterAll(async () => {
    await sql.end({ timeout: 5 })
    // PostgreSQL takes a moment to see that a client is gone.
    const left = await emptied(
      () => admin<{ application: string }[]>`
        select application_name as application from pg_stat_activity
        where datname = ${name} and backend_type = 'client backend'`,
    )
    await admin.unsafe(`drop database ${name} with (force)`)
    await admin.end()
    expect(left, 'connections left open').toEqual([])
  })
  return { url: url.href, sql }
}

/** Resolves when a statement in this database waits for a lock that another holds. */
export async function waitsForLock(sql: Pool): Promise<void> {
  await until('a statement to wait for a lock', async () => {
    const waiting = await sql`
      select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`
    return waiting.length > 0
  })
}
