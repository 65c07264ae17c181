/**
 * Plans that are kept, as those of the API, were made by how large the tables were then. Autovacuum, which would have them
 * made again, is off here.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openPool, prepareWhereDirect } from '../../../../core/db.ts'
import { enqueueMany } from '../../../../core/queue/enqueue.ts'
import { keepStatistics } from '../../../../core/upkeep/statistics.ts'
import { testDatabase } from '../../../support/database.ts'
import { testQueue } from '../../../support/queue.ts'

const many = 5000
/** More than the five after which PostgreSQL settles for one plan for all values. */
const rounds = 8

const { sql, url } = await testDatabase()
const prepared = openPool({ DATABASE_URL: url, DATABASE_POOL_SIZE: 1 }, 'test')
afterAll(() => prepared.end({ timeout: 5 }))
await testQueue(sql)

beforeAll(async () => {
  await sql`alter table job_server.jobs set (autovacuum_enabled = false)`
  await sql.unsafe('vacuum analyze job_server.jobs')
  await prepareWhereDirect(prepared, { DATABASE_PREPARE: 'auto' })
  for (let round = 0; round < rounds; round++) await isThere()
  await enqueueMany(
    sql,
    Array.from({ length: many }, () => ({ definitionKey: 'test' })),
  )
})

const isThere = () => prepared`select from job_server.jobs where id = ${crypto.randomUUID()}`

/** Of the table from its beginning to its end, for one job. */
async function rowsRead(): Promise<number> {
  const before = await readSoFar()
  await isThere()
  return (await readSoFar()) - before
}

async function readSoFar(): Promise<number> {
  await prepared`select pg_stat_force_next_flush()`
  const [row] = await sql<{ read: number }[]>`
    select seq_tup_read::int as read from pg_stat_user_tables where relid = 'job_server.jobs'::regclass`
  return row?.read ?? 0
}

test('a plan that was made for an empty table reads it whole until it was looked at again, which is done once', async () => {
  expect(await rowsRead()).toBe(many)
  expect(await keepStatistics(sql)).toContain('jobs')
  expect(await rowsRead()).toBe(0)
  expect(await keepStatistics(sql)).toEqual([])
})
