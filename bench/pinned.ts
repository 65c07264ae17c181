/**
 * What a forgotten transaction costs: it holds a snapshot for the whole run, so that vacuum can remove nothing of what
 * the run leaves behind. Each side works on a backlog that is filled up as it is worked off; its throughput, the dead rows
 * and the size of its database stand against the same run without such a transaction.
 */
import postgres from 'postgres'
import { enqueueMany } from '../core/queue/enqueue.ts'
import { openTransaction } from '../test/support/open-transaction.ts'
import { type Bench, type BenchContext, interleave } from './bench.ts'
import type { BenchDatabase } from './database.ts'
import short from './jobs/short.ts'
import { compare, type Measurement } from './measurement.ts'
import { askRate } from './peers/ask.ts'
import { type PeerName, peers } from './peers/peer.ts'
import { shortJobsLabel, slots } from './short-jobs.ts'

/** Of each run; times `--scale`. */
const seconds = 120
const backlog = 10_000
const perCall = 1000
const pollMs = 20
const stepSeconds = 15

export const pinnedBench: Bench = {
  name: 'pinned',
  about: 'jobs that do nothing while a transaction stays open, with and without it',
  defaultRounds: 1,
  limitSeconds: 9000,
  async run(context) {
    const runs = await interleave(
      context,
      {
        ours: () => run(context, 'ours', ourRate, { isPinned: true }),
        oursFree: () => run(context, 'ours', ourRate, { isPinned: false }),
        graphile: () => run(context, graphile, peerRate(graphile), { isPinned: true }),
        graphileFree: () => run(context, graphile, peerRate(graphile), { isPinned: false }),
        pgBoss: () => run(context, 'pgBoss', peerRate('pgBoss'), { isPinned: true }),
        pgBossFree: () => run(context, 'pgBoss', peerRate('pgBoss'), { isPinned: false }),
      },
      { what: 'a transaction that stays open', warmUp: false },
    )
    return [
      ...beside(shortJobsLabel, runs.ours, runs.oursFree),
      ...beside(peers[graphile].label, runs.graphile, runs.graphileFree),
      ...beside(peers.pgBoss.label, runs.pgBoss, runs.pgBossFree),
    ]
  },
}

const graphile = 'graphileWorkerBatching'

interface Run {
  /** Jobs a second. */
  rate: number
  /** At the end, in all tables. */
  deadRows: number
  /** Of dead rows by a job that was worked off. */
  megabytes: number
}

function beside(who: string, pinned: Run[], free: Run[]): Measurement[] {
  const figures = {
    rate: { name: 'jobs that do nothing', unit: 'jobs/s', better: 'about 1' },
    deadRows: { name: 'dead rows at the end', unit: 'rows', better: 'lower' },
    megabytes: { name: 'size of the database at the end', unit: 'MB', better: 'lower' },
  } as const
  return (Object.keys(figures) as (keyof Run)[]).map((figure) =>
    compare(
      { ...figures[figure], name: `${who}: ${figures[figure].name}` },
      { label: 'with the transaction', values: pinned.map((run) => run[figure]) },
      { label: 'without', values: free.map((run) => run[figure]) },
    ),
  )
}

type RateOf = (context: BenchContext, database: BenchDatabase, seconds: number) => Promise<number>

async function run(
  { stack, scale, onStep, rounds }: BenchContext,
  who: string,
  rateOf: RateOf,
  { isPinned }: { isPinned: boolean },
): Promise<Run> {
  return await stack.withDatabase(async (database) => {
    const held = postgres(database.url, { max: 1, onnotice: () => {} })
    const look = postgres(database.url, { max: 1, onnotice: () => {} })
    const transaction = isPinned ? await openTransaction(held) : undefined
    const watching = setInterval(() => {
      litter(look).then(
        ({ deadRows, megabytes }) =>
          onStep(
            `${who}, ${isPinned ? 'pinned' : 'free'}: ${deadRows} dead rows, ${Math.round(megabytes)} MB`,
          ),
        () => {},
      )
    }, stepSeconds * 1000)
    try {
      const rate = await rateOf({ stack, scale, onStep, rounds }, database, seconds * scale)
      return { rate, ...(await litter(look)) }
    } finally {
      clearInterval(watching)
      await transaction?.close()
      await held.end({ timeout: 1 })
      await look.end({ timeout: 1 })
    }
  })
}

/** What lies in all tables, by PostgreSQL's statistics. */
async function litter(sql: postgres.Sql): Promise<Pick<Run, 'deadRows' | 'megabytes'>> {
  const [row] = await sql<{ dead: number; bytes: number }[]>`
    select
      (select sum(n_dead_tup) from pg_stat_user_tables)::float8 as dead,
      pg_database_size(current_database())::float8 as bytes`
  return { deadRows: Math.max(row?.dead ?? 0, 1), megabytes: (row?.bytes ?? 0) / 1e6 }
}

/** With a scheduler beside the worker, whose upkeep is part of what a queue costs. */
async function ourRate({ onStep }: BenchContext, database: BenchDatabase, runSeconds: number) {
  await database.startScheduler()
  await database.startWorker({ MAX_CONCURRENT_EXECUTIONS: String(slots) })
  let enqueued = 0
  const fill = async () => {
    const inputs = Array.from({ length: perCall }, () => ({ definitionKey: short.key }))
    await enqueueMany(database.sql, inputs)
    enqueued += perCall
  }
  const startedAt = performance.now()
  const elapsed = () => (performance.now() - startedAt) / 1000
  let told = { at: 0, done: 0 }
  let done = 0
  while (elapsed() < runSeconds) {
    done = await removedJobs(database)
    if (enqueued - done < backlog) await fill()
    else await Bun.sleep(pollMs)
    if (elapsed() - told.at < stepSeconds) continue
    onStep(`${Math.round((done - told.done) / (elapsed() - told.at))} jobs/s`)
    told = { at: elapsed(), done }
  }
  return done / elapsed()
}

/** By PostgreSQL's statistics, which cost nothing to read and are a second late: each job is removed once, when it ends. */
async function removedJobs({ sql }: BenchDatabase): Promise<number> {
  const [row] = await sql<{ removed: number }[]>`
    select pg_stat_get_tuples_deleted('job_server.jobs'::regclass)::float8 as removed`
  return row?.removed ?? 0
}

function peerRate(peer: PeerName): RateOf {
  return ({ stack }, { url }, runSeconds) =>
    askRate(stack, { peer, measure: 'sustained', url, seconds: runSeconds, backlog })
}
