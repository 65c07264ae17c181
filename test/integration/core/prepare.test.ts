/** Prepared statements, which pools over a direct connection may use. */
import { afterAll, expect, test } from 'vitest'
import { openPool, type Pool, prepareWhereDirect } from '../../../core/db.ts'
import { claim } from '../../../core/queue/claim.ts'
import { enqueueMany } from '../../../core/queue/enqueue.ts'
import { finish } from '../../../core/queue/finish.ts'
import { testDatabase } from '../../support/database.ts'
import { openLine } from '../../support/line.ts'
import { testQueue } from '../../support/queue.ts'
import { until } from '../../support/until.ts'

const { url, sql: unprepared } = await testDatabase()
await testQueue(unprepared, { key: 'work' })
const pools: Pool[] = []
afterAll(() => Promise.all(pools.map((pool) => pool.end())))

function open(prepare: 'auto' | 'on' | 'off', by = url): Pool {
  // One connection: what it has prepared is seen by asking it.
  const pool = openPool({ DATABASE_URL: by, DATABASE_POOL_SIZE: 1, DATABASE_PREPARE: prepare }, 'test')
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

/** The greeting's BackendKeyData: length 12, the number of the process, a secret (protocol 3.0, 55.7). */
const keyData = Buffer.from('K\0\0\0\x0c', 'latin1')

/** As poolers do. */
function withAnotherNumber(answer: Buffer): Buffer {
  const at = answer.indexOf(keyData)
  if (at !== -1) answer.writeUInt32BE(1_000_000_000 + at, at + keyData.length)
  return answer
}

const prepares = async (sql: Pool) => {
  await sql`select 1`
  return (await sql`select from pg_prepared_statements`).length > 0
}

test('left to itself, a pool prepares from when it has found that PostgreSQL itself is at the other end', async () => {
  const sql = open('auto')
  expect(await prepares(sql)).toBe(false)
  await prepareWhereDirect(sql, { DATABASE_PREPARE: 'auto' })
  expect(await prepares(sql)).toBe(true)
  expect(await work(sql)).toBe(6)
})

test('where the process that answers is not the one that greeted, nothing is prepared', async () => {
  const line = await openLine(url, { asGiven: withAnotherNumber })
  const sql = open('auto', line.url)
  await prepareWhereDirect(sql, { DATABASE_PREPARE: 'auto' })
  expect(await prepares(sql)).toBe(false)
})

test.each(['on', 'off'] as const)('told %s, nothing is asked', async (setting) => {
  const sql = open(setting)
  await prepareWhereDirect(sql, { DATABASE_PREPARE: setting })
  expect(await prepares(sql)).toBe(setting === 'on')
})

test('a database that is away at first is asked again', async () => {
  const line = await openLine(url)
  line.drop()
  const sql = open('auto', line.url)
  const known = prepareWhereDirect(sql, { DATABASE_PREPARE: 'auto' }, { retryMs: 10 })
  await expect(prepares(sql)).rejects.toThrow()
  await line.restore()
  await known
  expect(await until('it to prepare', () => prepares(sql))).toBe(true)
})

test('the question ends with the pool', async () => {
  const line = await openLine(url)
  line.drop()
  const sql = openPool({ DATABASE_URL: line.url, DATABASE_POOL_SIZE: 1 }, 'test')
  const known = prepareWhereDirect(sql, { DATABASE_PREPARE: 'auto' }, { retryMs: 10 })
  await sql.end({ timeout: 0 })
  await known
})
