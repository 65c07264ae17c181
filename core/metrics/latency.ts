/** How long jobs of the last minutes waited and ran, out of history. */
import type { Sql } from '../db.ts'
import { internalDefinitions } from '../definitions/internal.ts'

interface Percentiles {
  p50: number
  p95: number
}

export interface MinuteLatency {
  /** Beginning of the minute in which the jobs were enqueued. */
  period: Date
  /** Seconds from enqueue, so delays included: history does not keep since when a job could start. Null where none has finished. */
  wait: Percentiles | null
  run: Percentiles | null
}

/** Jobs of a minute that are looked at, at most: half a hundred of them lie beyond the 95th percentile. */
const largestSample = 1000
/** Jobs that are looked at in all: so many are read within some tens of milliseconds. */
const mostRead = 15_000

/**
 * One point for each of the last minutes, oldest first. Of each minute the finished jobs are read that were enqueued last,
 * up to a sample's size; of them those that took one attempt, as the wait of others is mostly their backoff.
 */
export async function readLatency(sql: Sql, options: { minutes: number }): Promise<MinuteLatency[]> {
  interface Row extends Pick<MinuteLatency, 'period'> {
    wait: number[] | null
    run: number[] | null
  }
  // job_history's pk: ids are of rising time, so a minute is a range of them, and no more is read than the sample.
  const rows = await sql<Row[]>`
    select
      period,
      percentile_cont(array[0.5, 0.95]) within group (order by wait_seconds) as wait,
      percentile_cont(array[0.5, 0.95]) within group (order by run_seconds) as run
    from generate_series(
      date_trunc('minute', now()) - make_interval(mins => ${options.minutes - 1}::int),
      date_trunc('minute', now()), interval '1 minute'
    ) as period
    left join lateral (
      select
        greatest(extract(epoch from started_at - queued_at), 0)::float8 as wait_seconds,
        extract(epoch from finished_at - started_at)::float8 as run_seconds
      from (
        select definition_key, attempts, queued_at, started_at, finished_at from job_server.job_history
        where id >= job_server.uuid_v7_floor(period) and id < job_server.uuid_v7_floor(period + interval '1 minute')
        order by id desc
        limit ${Math.min(largestSample, Math.floor(mostRead / options.minutes))}
      ) as last
      where attempts = 1 and started_at is not null and definition_key <> all(${internalDefinitions}::text[])
    ) as finished on true
    group by period
    order by period`
  return rows.map(({ period, wait, run }) => ({ period, wait: percentilesOf(wait), run: percentilesOf(run) }))
}

function percentilesOf(values: number[] | null): Percentiles | null {
  const [p50, p95] = values ?? []
  return p50 === undefined || p95 === undefined ? null : { p50, p95 }
}
