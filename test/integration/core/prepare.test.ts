/** Prepared statements, which pools over a direct connection may use. */
import { afterAll, expect, test } from 'vitest'
import { openPool, type Pool, prepareOnceReached, prepareWhereDirect } from '../../../core/db.ts'
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

const auto = { DATABASE_PREPARE: 'auto' } as const

/** By default with one connection: what it has prepared is seen by asking it. */
function open({ by = url, connections = 1 } = {}): Pool {
  const pool = openPool({ DATABASE_URL: by, DATABASE_POOL_SIZE: connections }, 'test')
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

test('statements are prepared once, planned once, and do the same', async () => {
  const sql = open()
  await prepareWhereDirect(sql, auto, { steady: true })
  for (let round = 0; round < 2; round++) expect(await work(sql)).toBe(6)
  const prepared = await sql<{ text: string; generic: number; custom: number }[]>`
    select statement as text, generic_plans::int as generic, custom_plans::int as custom from pg_prepared_statements`
  const claims = prepared.filter(({ text }) => text.includes('open_lanes as materialized'))
  // Two for the five, one for what depends on them, one that finds nothing.
  expect(claims).toMatchObject([{ generic: 2 * 4, custom: 0 }])
})

test('plans are steady in all connections, those that come later too', async () => {
  const sql = open({ connections: 3 })
  await prepareWhereDirect(sql, auto, { steady: true })
  const asked = await Promise.all(
    [1, 2, 3].map(() => sql`select pg_sleep(0.1), current_setting('enable_seqscan') as scan`),
  )
  expect(asked.map((rows) => rows[0]?.scan)).toEqual(['off', 'off', 'off'])
  expect(new Set(asked.map(({ state }) => state.pid)).size).toBe(3)
})

test('a pool that is only opened prepares nothing, nor does one that is told not to', async () => {
  const sql = open()
  expect(await work(sql)).toBe(6)
  await prepareWhereDirect(sql, { DATABASE_PREPARE: 'off' }, { steady: true })
  expect(await work(sql)).toBe(6)
  expect(await sql`select name from pg_prepared_statements`).toEqual([])
  expect(await sql`show enable_seqscan`).toEqual([{ enableSeqscan: 'on' }])
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

test('where the process that answers is not the one that greeted, nothing is prepared, and the session left as it is', async () => {
  const line = await openLine(url, { asGiven: withAnotherNumber })
  const sql = open({ by: line.url })
  await prepareWhereDirect(sql, auto, { steady: true })
  expect(await prepares(sql)).toBe(false)
  expect(await sql`show enable_seqscan`).toEqual([{ enableSeqscan: 'on' }])
})

test('a database that is away is told to who needs it, and asked again by who does not', async () => {
  const line = await openLine(url)
  line.drop()
  const sql = open({ by: line.url })
  await expect(prepareWhereDirect(sql, auto)).rejects.toThrow()
  const known = prepareOnceReached(sql, auto, { retryMs: 10 })
  await expect(prepares(sql)).rejects.toThrow()
  await line.restore()
  await known
  expect(await until('it to prepare', () => prepares(sql))).toBe(true)
})

test('the question ends with the pool', async () => {
  const line = await openLine(url)
  line.drop()
  const sql = openPool({ DATABASE_URL: line.url, DATABASE_POOL_SIZE: 1 }, 'test')
  const known = prepareOnceReached(sql, auto, { retryMs: 10 })
  await sql.end({ timeout: 0 })
  await known
})
