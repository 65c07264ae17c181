/**
 * A clock of the test's own inside PostgreSQL: a function now() that comes before the built-in one on the search path of
 * the test's database. The product asks the database for the time, so all of it lives by this clock, unchanged.
 */
import { afterAll } from 'vitest'
import { openPool, type Pool } from '../../core/db.ts'
import { type TestDatabase, testDatabase } from './database.ts'

export interface TestClock extends TestDatabase {
  /** Connections that live by the clock. */
  sql: Pool
  set(time: Date | string): Promise<void>
}

export async function testClock(start: string): Promise<TestClock> {
  const { sql: real, url } = await testDatabase()
  await real.unsafe(`
    create schema test_clock;
    create table test_clock.reading (at timestamptz not null);
    insert into test_clock.reading values ('${start}');
    create function test_clock.now() returns timestamptz language sql stable as 'select at from test_clock.reading';
    create function test_clock.clock_timestamp() returns timestamptz language sql stable as 'select at from test_clock.reading';
  `)
  await real.unsafe(
    `alter database ${new URL(url).pathname.slice(1)} set search_path = test_clock, pg_catalog, public`,
  )
  const sql = openPool({ DATABASE_URL: url, DATABASE_POOL_SIZE: 5 }, 'test')
  afterAll(() => sql.end({ timeout: 5 }))
  return {
    sql,
    url,
    set: async (time) => {
      await real`update test_clock.reading set at = ${time}`
    },
  }
}
