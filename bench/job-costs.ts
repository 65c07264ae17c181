/**
 * What a job takes of PostgreSQL, from enqueue to the last row about it: counted by PostgreSQL itself, on a database in
 * which nothing else happens. What an idle worker and scheduler send meanwhile is part of it, as it is in life.
 */
import { readFile } from 'node:fs/promises'
import { enqueue, enqueueMany } from '../core/queue/enqueue.ts'
import { byThousands } from './by-thousands.ts'
import type { BenchDatabase } from './database.ts'
import mark from './jobs/mark.ts'
import short from './jobs/short.ts'
import varied from './jobs/varied.ts'
import type { BenchStack } from './stack.ts'

const pollMs = 250
const deadlineMs = 600_000
/** A connection that has nothing to do tells its statistics after ten seconds. */
const settleMs = 12_000
/** The unit of times in /proc: a hundredth of a second, on every architecture that Linux runs on here. */
const tickMs = 10

export interface JobCost {
  kind: string
  jobs: number
  statements: number
  commits: number
  rowsWritten: number
  walBytes: number
  walFlushes: number
  heapBytes: number
  indexBytes: number
  /** Of all processes of PostgreSQL, in milliseconds. */
  cpuMs: number
}

interface Way {
  kind: string
  jobs: number
  enqueue(database: BenchDatabase, count: number): Promise<void>
}

const ways: Way[] = [
  { kind: 'a fresh process, enqueued one by one', jobs: 300, enqueue: oneByOne({ definitionKey: mark.key }) },
  {
    kind: 'a reused process, enqueued one by one',
    jobs: 1_000,
    enqueue: oneByOne({ definitionKey: short.key }),
  },
  {
    kind: 'reused in turns, enqueued by thousands',
    jobs: 20_000,
    enqueue: together({ definitionKey: short.key }),
  },
  {
    kind: 'delayed by a second, reused in turns',
    jobs: 10_000,
    enqueue: together({ definitionKey: short.key, delaySeconds: 1 }),
  },
  {
    kind: 'failed once and tried again, each in a process of its own',
    jobs: 300,
    enqueue: together({ definitionKey: varied.key, params: { way: 'failsOnce' } }),
  },
]

/** Each in a database of its own. */
export async function measureJobCosts(stack: BenchStack, onStep: (step: string) => void): Promise<JobCost[]> {
  const costs: JobCost[] = []
  for (const way of ways) {
    onStep(way.kind)
    const database = await stack.openDatabase({ counted: true })
    costs.push(await measure(database, way))
    await database.close()
  }
  return costs
}

async function measure(database: BenchDatabase, way: Way): Promise<JobCost> {
  const { sql } = database
  await sql`create extension pg_stat_statements`
  await Promise.all([database.startWorker(), database.startScheduler()])
  // Plans are made, processes stand by, pages of every table are there.
  await way.enqueue(database, Math.ceil(way.jobs / 10))
  await untilDone(database)
  await sql`checkpoint`
  const before = await countersOf(database)
  await way.enqueue(database, way.jobs)
  await untilDone(database)
  const after = await countersOf(database)
  const each = (name: keyof Counters) => (after[name] - before[name]) / way.jobs
  return {
    kind: way.kind,
    jobs: way.jobs,
    statements: each('statements'),
    commits: each('commits'),
    rowsWritten: each('rowsWritten'),
    walBytes: each('walBytes'),
    walFlushes: each('walFlushes'),
    heapBytes: each('heapBytes'),
    indexBytes: each('indexBytes'),
    cpuMs: each('cpuMs'),
  }
}

function oneByOne(input: { definitionKey: string }) {
  return async ({ sql }: BenchDatabase, count: number) => {
    for (let enqueued = 0; enqueued < count; enqueued++) await enqueue(sql, input)
  }
}

function together(input: { definitionKey: string; delaySeconds?: number; params?: { way: string } }) {
  return ({ sql }: BenchDatabase, count: number) =>
    byThousands(count, (part) =>
      enqueueMany(
        sql,
        Array.from({ length: part }, () => input),
      ),
    )
}

async function untilDone({ sql }: BenchDatabase): Promise<void> {
  const end = performance.now() + deadlineMs
  for (;;) {
    const [row] = await sql<{ left: boolean }[]>`select exists (select from job_server.jobs) as left`
    if (row?.left === false) break
    if (performance.now() > end) throw new Error(`after ${deadlineMs / 1000} s there still are jobs`)
    await Bun.sleep(pollMs)
  }
  await Bun.sleep(settleMs)
}

type Counters = Omit<JobCost, 'kind' | 'jobs'>

/** Since the server and its processes started. */
async function countersOf({ sql }: BenchDatabase): Promise<Counters> {
  const [row] = await sql<[Omit<Counters, 'cpuMs'> & { pids: number[] }]>`
    with stored as (
      select
        sum(pg_table_size(pg_class.oid)) as heap,
        sum(pg_indexes_size(pg_class.oid)) as indexes
      from pg_class join pg_namespace on pg_namespace.oid = relnamespace
      where nspname = 'job_server' and relkind = 'r' and relname ~ '^(job_history|attempts|events|logs)_'
    )
    select
      (
        select sum(calls) from pg_stat_statements join pg_database on pg_database.oid = dbid
        where datname = current_database()
      )::float8 as statements,
      xact_commit::float8 as commits,
      (tup_inserted + tup_updated + tup_deleted)::float8 as rows_written,
      (pg_current_wal_insert_lsn() - '0/0')::float8 as wal_bytes,
      (select sum(fsyncs) from pg_stat_io where object = 'wal')::float8 as wal_flushes,
      stored.heap::float8 as heap_bytes,
      stored.indexes::float8 as index_bytes,
      array(select pid from pg_stat_activity) as pids
    from pg_stat_database, stored
    where datname = current_database()`
  const { pids, ...counters } = row
  const cpuMs = (await Promise.all(pids.map(cpuMsOf))).reduce((sum, ms) => sum + ms, 0)
  return { ...counters, cpuMs }
}

/** Of one that has ended meanwhile: 0. */
async function cpuMsOf(pid: number): Promise<number> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    const [user, system] = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .slice(11, 13)
    return (Number(user) + Number(system)) * tickMs
  } catch {
    return 0
  }
}
