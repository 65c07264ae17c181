/**
 * The queue's verbs from one process, without workers: against the least SQL that could keep a queue, and against
 * themselves when much else waits or lies in history.
 */
import postgres from 'postgres'
import { enqueue } from '../core/queue/enqueue.ts'
import { type Bench, type BenchContext, byCallers, interleave, perSecond } from './bench.ts'
import { type BenchDatabase, poolSize } from './database.ts'
import mark from './jobs/mark.ts'
import { compare, type Measurement } from './measurement.ts'
import {
  blockedJobs,
  delayedJobs,
  finishedJobs,
  seedBlocked,
  seedDelayed,
  seedHistory,
} from './queue-load.ts'
import { batchSize, drain, enqueueBatches } from './verbs.ts'

/** What one by one enqueues, claims of ten take. */
const few = 1000
/** What batches enqueue, claims of a hundred take. */
const many = 5000
const underLoadJobs = 3000
/** The floor does so many times as much, or its part of a round would be over before it meets the noise that ours does. */
const floorTimes = 5

export const queueBench: Bench = {
  name: 'queue',
  about: "PostgreSQL's part of a job: the queue's verbs, from one process",
  defaultRounds: 5,
  run: async (context) => [...(await againstFloor(context)), ...(await underLoad(context))],
}

/** A second's worth of each. */
interface Rates {
  enqueueSingle: number
  enqueueBatch: number
  claimTen: number
  claimHundred: number
}

async function againstFloor(context: BenchContext): Promise<Measurement[]> {
  const database = await context.stack.openDatabase()
  const floor = await openFloor(database.url)
  const { ours, least } = await interleave(
    context,
    { ours: () => passOfVerbs(database), least: () => floor.pass() },
    { what: 'against the floor', warmUp: true },
  )
  await floor.close()
  await database.close()
  const against = (name: string, rate: keyof Rates, peer: string) =>
    compare(
      { name, unit: 'jobs/s', better: 'higher' },
      { label: 'Job Server', values: ours.map((rates) => rates[rate]) },
      { label: peer, values: least.map((rates) => rates[rate]) },
    )
  return [
    against(`enqueue one by one, ${poolSize} callers at once`, 'enqueueSingle', 'plain INSERT of one row'),
    against(`enqueue in batches of ${batchSize}`, 'enqueueBatch', 'plain INSERT of as many rows'),
    against('claim and finish in batches of 10', 'claimTen', 'DELETE … SKIP LOCKED … RETURNING'),
    against('claim and finish in batches of 100', 'claimHundred', 'DELETE … SKIP LOCKED … RETURNING'),
  ]
}

async function passOfVerbs(database: BenchDatabase): Promise<Rates> {
  const { sql } = database
  const single = () => enqueue(sql, { definitionKey: mark.key })
  const enqueueSingle = await perSecond(few, () => byCallers(poolSize, few, single))
  const claimTen = await perSecond(few, () => drain(database, few, 10))
  const enqueueBatch = await perSecond(many, () => enqueueBatches(database, many))
  const claimHundred = await perSecond(many, () => drain(database, many, 100))
  return { enqueueSingle, enqueueBatch, claimTen, claimHundred }
}

/** A queue that could do nothing but hand out rows once: one table of two columns, statements prepared. */
async function openFloor(url: string) {
  const sql = postgres(url, { max: poolSize, onnotice: () => {} })
  await sql`create table bench_floor (id bigint generated always as identity primary key, payload jsonb not null)`

  async function insertMany(count: number): Promise<void> {
    const payloads = Array.from({ length: batchSize }, () => '{}')
    for (let inserted = 0; inserted < count; inserted += batchSize) {
      await sql`insert into bench_floor (payload) select unnest(${payloads}::text[])::jsonb`
    }
  }

  async function take(count: number, limit: number): Promise<void> {
    for (let taken = 0; taken < count; ) {
      // `any(array(…))` reads the primary key alone; for `in (…)` the planner may read the table whole.
      const rows = await sql`
        delete from bench_floor
        where id = any(array(select id from bench_floor order by id limit ${limit} for update skip locked))
        returning id, payload`
      if (rows.length === 0) throw new Error(`the floor gave ${taken} of ${count} rows`)
      taken += rows.length
    }
  }

  const insertOne = () => sql`insert into bench_floor (payload) values (${sql.json({})})`
  const [singles, rows] = [floorTimes * few, floorTimes * many]
  return {
    pass: async (): Promise<Rates> => ({
      enqueueSingle: await perSecond(singles, () => byCallers(poolSize, singles, insertOne)),
      claimTen: await perSecond(singles, () => take(singles, 10)),
      enqueueBatch: await perSecond(rows, () => insertMany(rows)),
      claimHundred: await perSecond(rows, () => take(rows, 100)),
    }),
    close: () => sql.end({ timeout: 1 }),
  }
}

/** Claims and finishes in batches of a hundred while something else is there, against a queue where nothing is. */
async function underLoad(context: BenchContext): Promise<Measurement[]> {
  const open = async (what: string, seed: (database: BenchDatabase) => Promise<void>) => {
    context.onStep(`filling a database: ${what}`)
    const database = await context.stack.openDatabase()
    await seed(database)
    // As upkeep would have left it, and with nothing left to write that would be written during the rounds.
    await database.sql`vacuum (analyze)`
    await database.sql`checkpoint`
    return database
  }
  const databases = {
    empty: await open('nothing', async () => {}),
    delayed: await open(delayedJobs, seedDelayed),
    blocked: await open(blockedJobs, (database) => seedBlocked(database)),
    history: await open(finishedJobs, seedHistory),
  }
  const rate = async (database: BenchDatabase) => {
    await enqueueBatches(database, underLoadJobs)
    return await perSecond(underLoadJobs, () => drain(database, underLoadJobs, 100))
  }
  const rates = await interleave(
    context,
    {
      empty: () => rate(databases.empty),
      delayed: () => rate(databases.delayed),
      blocked: () => rate(databases.blocked),
      history: () => rate(databases.history),
    },
    { what: 'under load', warmUp: true },
  )
  for (const database of Object.values(databases)) await database.close()
  const against = (label: string, values: number[]) =>
    compare(
      { name: `claim and finish beside ${label}`, unit: 'jobs/s', better: 'about 1' },
      { label: `with ${label}`, values },
      { label: 'empty queue', values: rates.empty },
    )
  return [
    against(delayedJobs, rates.delayed),
    against(blockedJobs, rates.blocked),
    against(finishedJobs, rates.history),
  ]
}
