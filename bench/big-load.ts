/**
 * Fills a database as years of use would: straight into the tables, with all their indexes, as enqueuing and running so
 * many jobs would take a day. Finished jobs lie in the current week, have an attempt and three events each, and one in a
 * hundred is a dead letter.
 */
import postgres from 'postgres'
import type { BenchDatabase } from './database.ts'
import short from './jobs/short.ts'

export interface Load {
  /** Ready, behind what benches enqueue: half of them in the lane of `bench.short`. */
  waiting: number
  finished: number
  /** Due in a day. */
  delayed: number
}

/** Below what benches enqueue, which is 0. */
const waitingPriority = -10
const perStatement = 250_000
/** Two fill their tables at once: as many as there are processors for it on a small machine. */
const writers = 2

/** Ends with a vacuum, statistics and a checkpoint, so that rounds meet none of its work. */
export async function seedLoad(
  database: BenchDatabase,
  load: Load,
  onStep: (step: string) => void,
): Promise<void> {
  const definitions = database.definitions.map(({ key }) => key).sort()
  const span = await spanOf(database, load)
  const work: { what: string; count: number; statement: (range: Range) => string }[] = [
    { what: 'events', count: load.finished, statement: (range) => eventsOf(range, span) },
    { what: 'history', count: load.finished, statement: (range) => historyOf(range, span, definitions) },
    { what: 'attempts', count: load.finished, statement: (range) => attemptsOf(range, span) },
    { what: 'waiting jobs', count: load.waiting, statement: (range) => waitingOf(range, definitions) },
    { what: 'delayed jobs', count: load.delayed, statement: (range) => delayedOf(range, definitions) },
    { what: 'dead letters', count: load.finished, statement: (range) => deadLettersOf(range, span) },
  ]
  const next = async () => {
    const sql = postgres(database.url, { max: 1, onnotice: () => {} })
    await sql.unsafe(`set synchronous_commit = off; set search_path = job_server`)
    for (let job = work.shift(); job !== undefined; job = work.shift()) {
      onStep(`${job.count.toLocaleString('en-US')} jobs: ${job.what}`)
      for (let from = 1; from <= job.count; from += perStatement) {
        await sql.unsafe(job.statement({ from, to: Math.min(from + perStatement - 1, job.count) }))
      }
    }
    await sql.end()
  }
  await Promise.all(Array.from({ length: writers }, next))
  onStep('totals, vacuum and statistics')
  await seedTotals(database, load, definitions)
  await database.sql`vacuum (analyze)`
  await database.sql`checkpoint`
}

/** Numbers of jobs, both included. */
interface Range {
  from: number
  to: number
}

/** When finished jobs ended: evenly from the week's beginning, as their partition begins with it. */
interface Span {
  first: string
  everySeconds: number
}

async function spanOf({ sql }: BenchDatabase, { finished }: Load): Promise<Span> {
  const [week] = await sql<{ first: string; seconds: number }[]>`
    select first::text, extract(epoch from now() - first)::float8 as seconds
    from (select date_trunc('week', now() at time zone 'UTC') at time zone 'UTC' as first) as week`
  if (week === undefined) throw new Error('the database gave no time')
  return { first: week.first, everySeconds: week.seconds / Math.max(finished, 1) }
}

/** Finished jobs: `n`, `at` and `id`. */
function finishedOf({ from, to }: Range, { first, everySeconds }: Span): string {
  return `
    generate_series(${from}::bigint, ${to}) as n
    cross join lateral (select timestamptz '${first}' + n * interval '${everySeconds.toFixed(9)} s' as at) as time
    cross join lateral (select ${idOf('at', 'n')} as id) as named`
}

/** A UUIDv7 of a time whose random part is made of a number, so that all tables agree on it. */
function idOf(at: string, n: string): string {
  const random = `md5((${n})::text)`
  return `(
    lpad(to_hex((extract(epoch from ${at}) * 1000)::bigint), 12, '0') || '7' || left(${random}, 3) || '8' || right(${random}, 15)
  )::uuid`
}

function oneOf(definitions: string[], n: string): string {
  return `(array[${definitions.map((key) => `'${key}'`).join(', ')}])[1 + ${n} % ${definitions.length}]`
}

function historyOf(range: Range, span: Span, definitions: string[]): string {
  return `
    insert into job_history (
      id, definition_key, definition_version, queue, status, priority, attempts, max_attempts, crash_count,
      timeout_seconds, params, result, error_code, error_summary, queued_at, started_at, finished_at, heartbeat_at,
      worker_id, lease_epoch
    )
    select
      id, ${oneOf(definitions, 'n')}, 1, 'queue-' || n % 8, status, 0, 1, 3, 0, 60,
      jsonb_build_object('order', n, 'customer', md5(n::text)), case when status = 'succeeded' then jsonb_build_object('lines', n % 100) end,
      case when status = 'failed' then 'error-' || n % 7 end, case when status = 'failed' then 'It did not work.' end,
      at, at + interval '20 ms', at + interval '1 s', at + interval '20 ms', 'worker-' || n % 10, n
    from ${finishedOf(range, span)}
    cross join lateral (
      select case when n % 100 = 0 then 'failed' when n % 100 = 1 then 'cancelled' else 'succeeded' end as status
    ) as ended`
}

function attemptsOf(range: Range, span: Span): string {
  return `
    insert into attempts (job_id, lease_epoch, attempt, worker_id, started_at, ended_at, outcome)
    select
      id, n, 1, 'worker-' || n % 10, at + interval '20 ms', at + interval '1 s',
      case when n % 100 = 0 then 'threw' when n % 100 = 1 then 'cancelled' else 'succeeded' end
    from ${finishedOf(range, span)}`
}

function eventsOf(range: Range, span: Span): string {
  return `
    insert into events (job_id, event_type, at, payload)
    select
      id, event_type, at + later,
      case event_type when 'started' then jsonb_build_object('attempt', 1, 'workerId', 'worker-' || n % 10) else '{}' end
    from ${finishedOf(range, span)}
    cross join (
      values ('queued', interval '0'), ('started', interval '20 ms'), ('succeeded', interval '1 s')
    ) as event (event_type, later)`
}

/** Half of them were redriven. */
function deadLettersOf(range: Range, span: Span): string {
  return `
    insert into dead_letters (
      id, original_job_id, definition_key, definition_version, queue, priority, attempts, max_attempts, timeout_seconds,
      params, error_code, error_summary, queued_at, finished_at, moved_to_dlq_at, redriven_at, redriven_job_id
    )
    select
      gen_random_uuid(), id, definition_key, 1, queue, 0, 1, 3, 60, params, error_code, error_summary, queued_at,
      finished_at, finished_at, case when odd then finished_at end, case when odd then gen_random_uuid() end
    from ${finishedOf(range, span)}
    join job_history using (id)
    cross join lateral (select n % 200 = 0 as odd) as half
    where n % 100 = 0`
}

function waitingOf(range: Range, definitions: string[]): string {
  return `
    insert into jobs (id, definition_key, definition_version, queue, state, priority, turn_at, max_attempts, timeout_seconds, params)
    select
      ${idOf("now() - n * interval '1 ms'", '-n')}, case when n % 2 = 0 then '${short.key}' else ${oneOf(definitions, 'n / 2')} end, 1,
      case when n % 2 = 0 then 'default' else 'queue-' || n % 8 end, 'ready', ${waitingPriority}, now(), 1, 60,
      jsonb_build_object('order', n)
    from generate_series(${range.from}::bigint, ${range.to}) as n`
}

function delayedOf(range: Range, definitions: string[]): string {
  return `
    insert into jobs (
      id, definition_key, definition_version, queue, state, priority, turn_at, scheduled_at, max_attempts, timeout_seconds, params
    )
    select
      ${idOf("now() - n * interval '1 ms'", '-1000000000 - n')}, ${oneOf(definitions, 'n')}, 1, 'queue-' || n % 8, 'scheduled', 0, due, due, 3, 60,
      jsonb_build_object('order', n)
    from generate_series(${range.from}::bigint, ${range.to}) as n
    cross join lateral (select now() + interval '1 day' + n * interval '1 ms' as due) as later`
}

/** What counting would have kept of them, the queues they stand in, and those who would be at work. */
async function seedTotals({ sql }: BenchDatabase, { finished }: Load, definitions: string[]): Promise<void> {
  await sql`
    insert into job_server.lanes (queue, definition_key, definition_version)
    select distinct queue, definition_key, definition_version from job_server.jobs on conflict do nothing`
  await sql`
    insert into job_server.end_totals
    select key, 1, 'succeeded', 'succeeded', bound, ${Math.round(finished / definitions.length / 5)}, 0, ${finished / 5}, ${finished / 50}
    from unnest(${definitions}::text[]) as definition (key)
    cross join unnest(array[0.05, 0.5, 1, 5, 30]) as bound`
  await sql`
    insert into job_server.end_minutes
    select date_trunc('minute', now()) - n * interval '1 minute', ${Math.ceil(finished / 11_520)}, 1, 1
    from generate_series(0, 11519) as n
    on conflict do nothing`
  await sql`
    insert into job_server.workers (id, kind, slots) select 'seeded-' || n, 'worker', 4 from generate_series(1, 20) as n`
}
