/** Prepared statements, which pools over a direct connection may use. */
import { afterAll, expect, test } from 'vitest'
import { openPool, type Pool } from '../../../core/db.ts'
import { claim } from '../../../core/queue/claim.ts'
import { enqueueMany } from '../../../core/queue/enqueue.ts'
import { finish } from '../../../core/queue/finish.ts'
import { testDatabase } from '../../support/database.ts'
import { testQueue } from '../../support/queue.ts'

const { url, sql: unprepared } = await testDatabase()
await testQueue(unprepared, { key: 'work' })
const pools: Pool[] = []
afterAll(() => Promise.all(pools.map((pool) => pool.end())))

function open(prepare: 'on' | 'off'): Pool {
  // One connection: what it has prepared is seen by asking it.
  const pool = openPool({ DATABASE_URL: url, DATABASE_POOL_SIZE: 1, DATABASE_PREPARE: prepare }, 'test')
  pools.push(pool)
  return pool
}

async function work(sql: Pool): Promise<number> {
  const inputs = Array.from({ length: 5 }, () => ({ definitionKey: 'work', params: { text: "it's" } }))
  const first = await enqueueMany(sql, inputs)
  const dependsOn = first.map(({ job }) => job.id)
  await enqueueMany(sql, [{ definitionKey: 'work', dependsOn }])
  let done = 0
  for (;;) {
    const request = { workerId: 'worker', definitions: [{ key: 'work', version: 1 }], queues: [], limit: 3 }
    const jobs = await claim(sql, { ...request, leaseSeconds: 30 }, { limited: false })
    if (jobs.length === 0) return done
    done += jobs.length
    await finish(
      sql,
      jobs.map(({ lease }) => ({ lease, end: { kind: 'succeeded', result: { ok: true } } })),
    )
  }
}

/** More than the five executions after which PostgreSQL may settle for one plan for all values. */
const rounds = 8

test('statements are prepared once, planned once, and do the same', async () => {
  const sql = open('on')
  for (let round = 0; round < rounds; round++) expect(await work(sql)).toBe(6)
  const prepared = await sql<{ text: string; generic: number }[]>`
    select statement as text, generic_plans::int as generic from pg_prepared_statements`
  const claims = prepared.filter(({ text }) => text.includes('open_lanes as materialized'))
  expect(claims).toHaveLength(1)
  expect(claims[0]?.generic).toBeGreaterThan(0)
})

test('a pool that is not told so prepares nothing', async () => {
  const sql = open('off')
  expect(await work(sql)).toBe(6)
  expect(await sql`select name from pg_prepared_statements`).toEqual([])
})
