/**
 * Metrics of all jobs, live and finished. The finished are read from totals, and from the tallies that are not folded
 * yet, in one snapshot with the live ones: a job that just moves is counted once. What it costs grows with the tallies
 * of the last seconds, not with history, and with the jobs that are not finished only while they are few.
 */
import type { Fragment, Sql } from '../db.ts'
import { internalDefinitions } from '../definitions/internal.ts'
import { definitionNameOf } from '../definitions/name.ts'
import type { JobStatus } from '../job-state.ts'
import { endGroups } from './groups.ts'
import { liveGroups } from './live.ts'
import { noJobs, noTries, type StatusCounts, sumOfTries, type Tried } from './summary.ts'

export interface DefinitionMetrics {
  definitionKey: string
  definitionVersion: number
  byStatus: StatusCounts
  tried: Tried
}

/** One entry for each definition that ever had a job, by key and version. */
export async function readDefinitionMetrics(sql: Sql): Promise<DefinitionMetrics[]> {
  interface Row extends Pick<DefinitionMetrics, 'definitionKey' | 'definitionVersion'>, Tried {
    status: JobStatus
    jobs: number
  }
  const rows = await sql<Row[]>`
    with counted as (
      select
        definition_key, definition_version,
        case when state <> 'running' then 'queued' when cancelling then 'cancelling' else 'running' end as status,
        jobs, 0 as tried, 0 as retried, 0 as run_seconds, 0 as queue_seconds
      from (${liveGroups(sql)}) as live
      where ${counted(sql)}
      union all
      select
        definition_key, definition_version, status, ends, case when outcome = 'none' then 0 else ends end,
        retried, run_seconds, queue_seconds
      from (${endsSoFar(sql)}) as ended
      where status <> 'queued' and ${counted(sql)}
    )
    select
      definition_key, definition_version, status, sum(jobs)::float8 as jobs, sum(tried)::float8 as tried,
      sum(retried)::float8 as retried, sum(run_seconds) as run_seconds, sum(queue_seconds) as queue_seconds
    from counted
    group by definition_key, definition_version, status
    order by definition_key, definition_version`
  const definitions = new Map<string, DefinitionMetrics>()
  for (const { definitionKey, definitionVersion, status, jobs, ...tried } of rows) {
    const name = definitionNameOf({ definitionKey, definitionVersion })
    const known = definitions.get(name) ?? {
      definitionKey,
      definitionVersion,
      byStatus: noJobs(),
      tried: noTries,
    }
    known.byStatus[status] = jobs
    // How long a cancelled job took says when somebody lost interest.
    if (status === 'succeeded' || status === 'failed') known.tried = sumOfTries([known.tried, tried])
    definitions.set(name, known)
  }
  return [...definitions.values()]
}

export interface Throughput {
  /** Beginning of the hour. */
  period: Date
  /** Jobs that succeeded. */
  completed: number
  failed: number
}

/** One point for each of the last hours, oldest first; the last is the hour that is under way. */
export async function readThroughput(sql: Sql, options: { hours: number }): Promise<Throughput[]> {
  const first = sql`date_trunc('hour', now()) - make_interval(hours => ${options.hours - 1}::int)`
  return await sql<Throughput[]>`
    select
      period, coalesce(sum(succeeded), 0)::float8 as completed, coalesce(sum(failed), 0)::float8 as failed
    from generate_series(${first}, date_trunc('hour', now()), interval '1 hour') as period
    left join (${minutesSince(sql, first)}) as timed on date_trunc('hour', minute) = period
    group by period
    order by period`
}

export interface MinuteThroughput {
  /** Beginning of the minute. */
  period: Date
  succeeded: number
  failed: number
}

/** One point for each of the last minutes, oldest first; the last is the minute that is under way. */
export async function readMinutes(sql: Sql, options: { minutes: number }): Promise<MinuteThroughput[]> {
  const first = sql`date_trunc('minute', now()) - make_interval(mins => ${options.minutes - 1}::int)`
  return await sql<MinuteThroughput[]>`
    select
      period, coalesce(sum(succeeded), 0)::float8 as succeeded, coalesce(sum(failed), 0)::float8 as failed
    from generate_series(${first}, date_trunc('minute', now()), interval '1 minute') as period
    left join (${minutesSince(sql, first)}) as timed on minute = period
    group by period
    order by period`
}

export interface RecentThroughput {
  lastHour: number
  lastDay: number
  lastWeek: number
}

/** How many jobs succeeded lately, to the minute. */
export async function readRecentThroughput(sql: Sql): Promise<RecentThroughput> {
  const since = (span: string) => sql`
    coalesce(sum(succeeded) filter (where minute >= date_trunc('minute', now() - ${span}::interval)), 0)::float8`
  const [row] = await sql<RecentThroughput[]>`
    select ${since('1 hour')} as last_hour, ${since('1 day')} as last_day, ${since('7 days')} as last_week
    from (${minutesSince(sql, sql`now() - interval '8 days'`)}) as timed`
  return row ?? { lastHour: 0, lastDay: 0, lastWeek: 0 }
}

/** Ends of attempts and jobs since counting began, grouped as totals are. */
export function endsSoFar(sql: Sql) {
  return sql`
    select * from job_server.end_totals
    union all
    ${endGroups(sql, sql`job_server.end_tallies`)}`
}

function minutesSince(sql: Sql, first: Fragment) {
  // end_minutes_pk
  return sql`
    select minute, succeeded, failed from job_server.end_minutes where minute >= ${first}
    union all
    select date_trunc('minute', ended_at), (status = 'succeeded')::int, (status = 'failed')::int
    from job_server.end_tallies
    where ended_at >= ${first} and ${counted(sql)}`
}

/** Jobs of our own are no work of the users'; /metrics shows them by definition. */
function counted(sql: Sql) {
  return sql`definition_key <> all(${internalDefinitions}::text[])`
}
