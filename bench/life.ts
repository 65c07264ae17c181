/**
 * A day of a server's life, in the time it takes to work a day's jobs off: delayed ones, some of a concurrency key, some
 * that fail and are tried again, and those of a schedule, with worker and scheduler as they run anywhere. What the live
 * tables hold at the end is held against what they held when all was under way.
 *
 * As time is compressed, so is that of autovacuum, which looks once a second in place of once a minute. History, attempts,
 * events and logs are emptied at every tenth, as retention drops their partitions, so that no disk need hold a day of them.
 */
import { type EnqueueInput, enqueueMany } from '../core/queue/enqueue.ts'
import { createSchedule, scheduleDefaults } from '../core/schedules/create.ts'
import type { Bench } from './bench.ts'
import type { BenchDatabase } from './database.ts'
import short from './jobs/short.ts'
import varied from './jobs/varied.ts'
import { compare, type Measurement } from './measurement.ts'
import { slots } from './short-jobs.ts'

const full = 1_000_000
const perCall = 1000
/** What waits all the time, give or take a call's jobs. */
const backlog = 10_000
const tenths = 10
const pollMs = 20
/** So many that their jobs come through faster than they come in: each waits behind all that waits. */
const keys = 2_000

interface Sizes {
  jobsHeap: number
  jobsIndexes: number
  /** All tables but those that are partitioned by time. */
  live: number
  liveRows: number
  deadRows: number
  autovacuums: number
}

export const lifeBench: Bench = {
  name: 'life',
  about: `${full.toLocaleString('en-US')} jobs through one worker (--scale 10: the ten million of a day), and what the live tables hold then`,
  defaultRounds: 1,
  limitSeconds: 14_400,
  async run({ stack, rounds, scale, onStep }) {
    const passes: { start: Sizes; end: Sizes }[] = []
    for (let round = 0; round < rounds; round++) {
      passes.push(await stack.withDatabase((database) => day(database, full * scale, onStep)))
    }
    const against = (name: string, of: (sizes: Sizes) => number): Measurement =>
      compare(
        { name, unit: 'MB', better: 'about 1' },
        { label: 'after the last tenth', values: passes.map(({ end }) => of(end)) },
        { label: 'after the first', values: passes.map(({ start }) => of(start)) },
      )
    return [
      against('the table of live jobs', ({ jobsHeap }) => jobsHeap),
      against('its indexes', ({ jobsIndexes }) => jobsIndexes),
      against('all live tables with their indexes', ({ live }) => live),
    ]
  },
}

async function day(
  database: BenchDatabase,
  jobs: number,
  onStep: (step: string) => void,
): Promise<{ start: Sizes; end: Sizes }> {
  const { sql } = database
  await sql`alter system set autovacuum_naptime = '1s'`
  await sql`select pg_reload_conf()`
  await createSchedule(
    sql,
    { ...scheduleDefaults, name: 'each second', definitionKey: short.key, expression: 'every 1s' },
    { minPeriodSeconds: 1 },
  )
  await Promise.all([
    database.startScheduler(),
    database.startWorker({ MAX_CONCURRENT_EXECUTIONS: String(slots) }),
  ])
  const startedAt = performance.now()
  const sizes: Sizes[] = []
  for (let tenth = 1; tenth <= tenths; tenth++) {
    await feed(sql, jobs / tenths)
    // With as much waiting as ever.
    const now = await sizesOf(database)
    onStep(`${tenth} of ${tenths}, ${Math.round((performance.now() - startedAt) / 1000)} s: ${told(now)}`)
    sizes.push(now)
    await sql`truncate job_server.job_history, job_server.attempts, job_server.events, job_server.logs`
  }
  await untilFewer(sql, 1)
  await sql`alter system reset autovacuum_naptime`
  await sql`select pg_reload_conf()`
  const [start, end] = [sizes.at(0), sizes.at(-1)]
  if (start === undefined || end === undefined) throw new Error('there was no tenth')
  return { start, end }
}

/** Enqueues so many, as fast as they are worked off. */
async function feed(sql: BenchDatabase['sql'], count: number): Promise<void> {
  for (let enqueued = 0; enqueued < count; enqueued += perCall) {
    await untilFewer(sql, backlog)
    await enqueueMany(
      sql,
      Array.from({ length: perCall }, (_, place) => inputAt(enqueued + place)),
    )
  }
}

/** One in 25 is delayed, one in 50 has a concurrency key. What ends its process is rare: a new one takes long. */
function inputAt(place: number): EnqueueInput {
  const base = { definitionKey: varied.key, params: { way: 'succeeds' } }
  if (place % 20_000 === 1) return { ...base, params: { way: 'fails' } }
  if (place % 10_000 === 2) return { ...base, params: { way: 'snoozes' } }
  if (place % 5_000 === 3) return { ...base, params: { way: 'failsOnce' } }
  if (place % 25 === 0) return { ...base, delaySeconds: 1 + (place % 4) }
  if (place % 50 === 1) return { ...base, concurrencyKey: `key-${Math.floor(place / 50) % keys}` }
  return base
}

async function untilFewer(sql: BenchDatabase['sql'], limit: number): Promise<void> {
  for (;;) {
    // Those of the schedule come for ever.
    const [row] = await sql<{ left: number }[]>`
      select count(*)::int as left
      from (select from job_server.jobs where definition_key = ${varied.key} limit ${limit}) as counted`
    if ((row?.left ?? 0) < limit) return
    await Bun.sleep(pollMs)
  }
}

async function sizesOf({ sql }: BenchDatabase): Promise<Sizes> {
  const [row] = await sql<[Sizes]>`
    with live as (
      select relid, stats.relname, n_live_tup, n_dead_tup, autovacuum_count
      from pg_stat_user_tables as stats join pg_class on pg_class.oid = relid
      where schemaname = 'job_server' and not relispartition and relkind = 'r'
    )
    select
      (max(pg_table_size(relid)) filter (where relname = 'jobs') / 1e6)::float8 as jobs_heap,
      (max(pg_indexes_size(relid)) filter (where relname = 'jobs') / 1e6)::float8 as jobs_indexes,
      (sum(pg_total_relation_size(relid)) / 1e6)::float8 as live,
      sum(n_live_tup)::int as live_rows,
      sum(n_dead_tup)::int as dead_rows,
      sum(autovacuum_count)::int as autovacuums
    from live`
  return row
}

function told({ jobsHeap, jobsIndexes, live, liveRows, deadRows, autovacuums }: Sizes): string {
  const mb = (value: number) => `${value.toFixed(1)} MB`
  return `jobs ${mb(jobsHeap)}, indexes ${mb(jobsIndexes)}, all live ${mb(live)}, rows ${liveRows}, dead ${deadRows}, autovacuums ${autovacuums}`
}
