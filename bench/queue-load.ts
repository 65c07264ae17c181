/**
 * Fills a database with jobs that are not to be claimed. The product's verbs make some; SQL copies them under ids of
 * the same time, because enqueuing so many one batch after another would take longer than the bench. Copies have
 * whatever columns the tables have.
 */

import { admit } from '../core/queue/admit.ts'
import { claim } from '../core/queue/claim.ts'
import { enqueueMany } from '../core/queue/enqueue.ts'
import type { BenchDatabase } from './database.ts'
import mark from './jobs/mark.ts'
import { drain } from './verbs.ts'

const waitingCount = 100_000
const finishedCount = 200_000
const originals = 1000
/** Beyond the end of any bench. */
const farSeconds = 86_400

export const delayedJobs = '100,000 delayed jobs'
export const blockedJobs = '100,000 jobs blocked by one key'
export const finishedJobs = '200,000 finished jobs'

export async function seedDelayed(database: BenchDatabase): Promise<void> {
  const inputs = Array.from({ length: originals }, () => ({
    definitionKey: mark.key,
    delaySeconds: farSeconds,
  }))
  await enqueueMany(database.sql, inputs)
  await copy(database, 'jobs', waitingCount / originals - 1)
  await requireCount(database, 'jobs', waitingCount)
}

/** One job of each key runs all the time, so that no other is admitted. */
export async function seedBlocked(
  database: BenchDatabase,
  { keys = ['bench'], priority = 0 } = {},
): Promise<void> {
  const { sql, definitions } = database
  const inputs = keys.map((concurrencyKey) => ({ definitionKey: mark.key, concurrencyKey, priority }))
  await enqueueMany(sql, Array.from({ length: originals / keys.length }, () => inputs).flat())
  await copy(database, 'jobs', waitingCount / originals - 1)
  await enqueueMany(sql, inputs)
  await admit(sql, keys)
  const request = {
    workerId: 'bench',
    definitions,
    queues: [],
    limit: keys.length + 1,
    leaseSeconds: farSeconds,
  }
  const claimed = await claim(sql, request, { limited: false })
  if (claimed.length !== keys.length)
    throw new Error(`of ${keys.length} keys with a limit of one, ${claimed.length} jobs could be claimed`)
  await requireCount(database, 'jobs', waitingCount + keys.length)
}

/** With the attempts and events of each job. */
export async function seedHistory(database: BenchDatabase): Promise<void> {
  await enqueueMany(
    database.sql,
    Array.from({ length: originals }, () => ({ definitionKey: mark.key })),
  )
  await drain(database, originals, 100)
  const copies = finishedCount / originals - 1
  await copy(database, 'job_history', copies)
  await copy(database, 'attempts', copies)
  await copy(database, 'events', copies)
  await requireCount(database, 'job_history', finishedCount)
}

type Table = 'jobs' | 'job_history' | 'attempts' | 'events'

/** Every row so many times; rows of one job stay rows of one job. */
async function copy({ sql }: BenchDatabase, table: Table, copies: number): Promise<void> {
  const name = sql(`job_server.${table}`)
  const idColumn = table === 'attempts' || table === 'events' ? 'job_id' : 'id'
  // The first half of a UUIDv7 is its time, by which the tables are partitioned; the rest may be anything.
  await sql`
    insert into ${name} overriding system value
    select copied.*
    from ${name} as original
    cross join generate_series(1, ${copies}) as copy (number)
    cross join lateral md5(original.${sql(idColumn)}::text || copy.number) as random (hex)
    cross join lateral jsonb_populate_record(
      original,
      jsonb_build_object(
        ${idColumn}::text,
        left(original.${sql(idColumn)}::text, 19) || left(random.hex, 4) || '-' || right(random.hex, 12)
      )
    ) as copied`
}

async function requireCount({ sql }: BenchDatabase, table: Table, wanted: number): Promise<void> {
  const [row] = await sql<{ count: number }[]>`
    select count(*)::int as count from ${sql(`job_server.${table}`)}`
  if (row?.count !== wanted) throw new Error(`${table} holds ${row?.count} rows, not ${wanted}`)
}
