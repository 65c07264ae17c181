/**
 * What is true of the whole fleet, read from PostgreSQL: every API process tells the same. Sums and rates over API
 * processes make no sense for these; take the greatest.
 */
import type { Sql } from '../db.ts'
import { silentSeconds } from '../workers/read.ts'
import { type Bucket, type Family, family, histogram } from './exposition.ts'
import { claimGroups } from './groups.ts'
import { liveGroups } from './live.ts'
import { endsSoFar } from './read.ts'
import { readReported } from './reported.ts'

/** Rows come and go in these all the time; when vacuum can't follow, everything gets slow. */
const hotTables = [
  'jobs',
  'job_dependencies',
  'hook_runs',
  'idempotency_keys',
  'end_tallies',
  'claim_tallies',
]

/** One statement after the other: a scrape takes one connection. */
export async function readFleet(sql: Sql): Promise<Family[]> {
  return [
    ...(await readQueues(sql)),
    ...(await readEnds(sql)),
    await readClaims(sql),
    await readDeadLetters(sql),
    ...(await readWorkers(sql)),
    ...(await readReported(sql)),
    ...(await readDatabase(sql)),
  ]
}

async function readQueues(sql: Sql): Promise<Family[]> {
  const rows = await sql<
    {
      queue: string
      definition: string
      version: number
      state: string
      jobs: number
      oldest: number | null
      age: number
    }[]
  >`
    select
      queue, definition_key as definition, definition_version as version,
      case when cancelling then 'cancelling' else state end as state, sum(jobs)::float8 as jobs,
      extract(epoch from max(counted_at - oldest_at))::float8 as oldest,
      max(extract(epoch from now() - counted_at))::float8 as age
    from (${liveGroups(sql)}) as live
    group by 1, 2, 3, 4`
  const oldest = new Map<string, number>()
  for (const row of rows) oldest.set(row.queue, Math.max(oldest.get(row.queue) ?? 0, row.oldest ?? 0))
  return [
    family(
      'gauge',
      'job_server_jobs',
      'Jobs that are not finished, by state.',
      rows.map(({ jobs, oldest: _oldest, age: _age, ...labels }) => ({ labels, value: jobs })),
    ),
    family(
      'gauge',
      'job_server_queue_oldest_seconds',
      'Seconds for which the oldest claimable job has been waiting.',
      [...oldest].map(([queue, value]) => ({ labels: { queue }, value })),
    ),
    family(
      'gauge',
      'job_server_jobs_count_age_seconds',
      'Age of the count of jobs that are not finished; 0: they were few enough to be counted now.',
      [{ value: Math.max(0, ...rows.map(({ age }) => age)) }],
    ),
  ]
}

async function readEnds(sql: Sql): Promise<Family[]> {
  interface Row {
    definition: string
    version: number
    status: string
    outcome: string
    le: number
    ends: number
    runSeconds: number
  }
  const rows = await sql<Row[]>`
    select
      definition_key as definition, definition_version as version, status, outcome, run_le as le,
      sum(ends)::float8 as ends, sum(run_seconds) as run_seconds
    from (${endsSoFar(sql)}) as ended
    group by 1, 2, 3, 4, 5
    order by 1, 2, 3, 4, 5`
  const attempts = rows.filter(({ outcome }) => outcome !== 'none')
  return [
    family(
      'counter',
      'job_server_jobs_finished_total',
      'Jobs that ended for good; failed ones became dead letters.',
      summed(
        rows.filter(({ status }) => status !== 'queued'),
        ({ definition, version, status }) => ({ definition, version, status }),
      ),
    ),
    family(
      'counter',
      'job_server_attempts_total',
      'Attempts that ended, by how.',
      summed(attempts, ({ definition, version, outcome }) => ({ definition, version, outcome })),
    ),
    histogram(
      'job_server_attempt_run_seconds',
      'Run time of attempts.',
      attempts.map(({ definition, version, le, ends, runSeconds }) => ({
        labels: { definition, version },
        le,
        count: ends,
        sum: runSeconds,
      })),
    ),
  ]
}

function summed<Row extends { ends: number }>(rows: Row[], labelsOf: (row: Row) => Bucket['labels']) {
  const sums = new Map<string, { labels: Bucket['labels']; value: number }>()
  for (const row of rows) {
    const labels = labelsOf(row)
    const key = JSON.stringify(labels)
    sums.set(key, { labels, value: (sums.get(key)?.value ?? 0) + row.ends })
  }
  return [...sums.values()]
}

async function readClaims(sql: Sql): Promise<Family> {
  const rows = await sql<{ queue: string; le: number; claims: number; waitSeconds: number }[]>`
    select queue, wait_le as le, sum(claims)::float8 as claims, sum(wait_seconds) as wait_seconds
    from (
      select * from job_server.claim_totals
      union all
      ${claimGroups(sql, sql`job_server.claim_tallies`)}
    ) as claimed
    group by 1, 2
    order by 1, 2`
  return histogram(
    'job_server_claim_wait_seconds',
    'Time from when a job could be claimed until it was.',
    rows.map(({ queue, le, claims, waitSeconds }) => ({
      labels: { queue },
      le,
      count: claims,
      sum: waitSeconds,
    })),
  )
}

async function readDeadLetters(sql: Sql): Promise<Family> {
  // dead_letters_open_idx
  const rows = await sql<{ definition: string; letters: number }[]>`
    select definition_key as definition, count(*)::float8 as letters from job_server.dead_letters
    where redriven_at is null
    group by 1`
  return family(
    'gauge',
    'job_server_dead_letters',
    'Dead letters that were not redriven.',
    rows.map(({ definition, letters }) => ({ labels: { definition }, value: letters })),
  )
}

async function readWorkers(sql: Sql): Promise<Family[]> {
  const rows = await sql<{ kind: string; alive: number; slots: number }[]>`
    select kind, count(id)::float8 as alive, coalesce(sum(slots), 0)::float8 as slots
    from unnest(array['worker', 'scheduler']) as known (kind)
    left join (
      select * from job_server.workers where heartbeat_at > now() - make_interval(secs => ${silentSeconds})
    ) as living using (kind)
    group by kind`
  return [
    family(
      'gauge',
      'job_server_workers',
      `Processes that gave a sign of life in the last ${silentSeconds} seconds.`,
      rows.map(({ kind, alive }) => ({ labels: { kind }, value: alive })),
    ),
    family(
      'gauge',
      'job_server_slots',
      'Jobs that those processes can run at once.',
      rows.map(({ kind, slots }) => ({ labels: { kind }, value: slots })),
    ),
  ]
}

async function readDatabase(sql: Sql): Promise<Family[]> {
  const dead = await sql<{ table: string; tuples: number }[]>`
    select relname as table, n_dead_tup::float8 as tuples from pg_stat_all_tables
    where schemaname = 'job_server' and relname = any(${hotTables})`
  const connections = await sql<{ program: string; state: string; connections: number }[]>`
    select
      substring(application_name from '^job-server ([a-z]+)') as program, coalesce(state, 'unknown') as state,
      count(*)::float8 as connections
    from pg_stat_activity
    where datname = current_database() and application_name ~ '^job-server [a-z]+'
    group by 1, 2`
  // What holds back vacuum: the oldest snapshot of a session, a replication slot or a prepared transaction.
  const [oldest] = await sql<{ xminAge: number; transactionSeconds: number }[]>`
    select
      greatest(
        (select max(age(backend_xmin)) from pg_stat_activity where datname = current_database() or datname is null),
        (select max(greatest(age(xmin), age(catalog_xmin))) from pg_replication_slots),
        (select max(age(transaction)) from pg_prepared_xacts)
      )::float8 as xmin_age,
      (
        select coalesce(extract(epoch from max(now() - xact_start)), 0) from pg_stat_activity
        where datname = current_database()
      )::float8 as transaction_seconds`
  return [
    family(
      'gauge',
      'job_server_dead_tuples',
      'Dead rows that vacuum has not removed from the tables whose rows come and go.',
      dead.map(({ table, tuples }) => ({ labels: { table }, value: tuples })),
    ),
    family(
      'gauge',
      'job_server_connections',
      'Connections to PostgreSQL by program and what they do.',
      connections.map(({ connections: value, ...labels }) => ({ labels, value })),
    ),
    family(
      'gauge',
      'job_server_xmin_age_transactions',
      'Age of the oldest snapshot that holds back vacuum.',
      [{ value: oldest?.xminAge ?? 0 }],
    ),
    family('gauge', 'job_server_oldest_transaction_seconds', 'Age of the oldest open transaction.', [
      { value: oldest?.transactionSeconds ?? 0 },
    ]),
  ]
}
