/** Makes due jobs claimable. Delayed and backing-off jobs stand outside the claim's index until then. */
import type { Fragment, Sql } from '../db.ts'
import type { LaneCursors } from './lane-cursors.ts'
import { probe } from './probe.ts'
import { type Beginnings, beginningsOf, readyJobs } from './ready-jobs.ts'

export interface Staged {
  staged: number
  /** Until the next job is due or the next rate limit has room; null: none waits. On the database's clock. */
  nextDueInSeconds: number | null
  /** Whether jobs of definitions with a limit of their own are ready. */
  limited: boolean
  /** How many lanes there are. */
  lanes: number
  /** Whether jobs are blocked by their concurrency key. */
  blocked: boolean
  /** Until the next lease runs out unless it is renewed; null: none is held, or that was not asked for. */
  nextLeaseEndInSeconds: number | null
}

/**
 * Whether a row of `lanes` has jobs ready. Not `exists`: for that the planner may well choose to read the whole table,
 * in the belief that it finds one soon.
 */
export function hasReadyJobs(sql: Sql, from?: Beginnings) {
  const first = { lane: sql`lanes`, columns: sql`jobs.id`, limit: sql`1` }
  return sql`(select id from (${readyJobs(sql, first, from)}) as ready limit 1) is not null`
}

/**
 * @param options.leases whether the end of leases is asked for: behind many jobs that have ended since the last vacuum
 *   that is not found at once
 * @param options.withinSeconds only what became due in so many last seconds
 */
export async function stage(
  sql: Sql,
  options: {
    limit: number
    leases?: boolean
    withinSeconds?: number | undefined
    cursors?: LaneCursors | undefined
  },
): Promise<Staged> {
  // jobs_due_idx for both; skip locked lets any number of stagers share the work. Lanes are counted, which is
  // little beside a claim that reads them. The rest are probes of one row each: jobs_blocked_idx, and for the few limited
  // definitions jobs_ready_idx and rate_starts_idx.
  const [row] = await sql<Staged[]>`
    with due as materialized (
      select id from job_server.jobs
      where state = 'scheduled' and scheduled_at <= now() ${since(sql, sql`scheduled_at`, options.withinSeconds)}
      order by scheduled_at
      limit ${options.limit}
      for update skip locked
    ),
    staged as (
      update job_server.jobs set state = case when concurrency_key is null then 'ready' else 'blocked' end
      from due
      where ${probe(sql, sql`jobs.id`, sql`due.id`)}
      returning jobs.definition_key, jobs.definition_version, jobs.state
    ),
    limited as materialized (
      select key, version, rate_limit_count, rate_limit_seconds from job_server.definitions
      where (concurrency_limit is not null or rate_limit_count is not null) and (
        exists (
          select from job_server.lanes
          where lanes.definition_key = key and lanes.definition_version = version and ${hasReadyJobs(sql, beginningsOf(sql, options.cursors))}
        )
        or exists (select from staged where definition_key = key and definition_version = version)
      )
    )
    select
      (select count(*) from staged)::int as staged,
      least(
        (
          select extract(epoch from scheduled_at - now()) from job_server.jobs
          where state = 'scheduled' and scheduled_at > now()
          order by scheduled_at
          limit 1
        ),
        -- The window opens when the oldest of its last starts leaves it.
        (
          select min(extract(epoch from oldest.started_at + make_interval(secs => rate_limit_seconds) - now()))
          from limited
          cross join lateral (
            select started_at from job_server.rate_starts
            where definition_key = key and definition_version = version
            order by started_at desc
            limit 1 offset greatest(rate_limit_count - 1, 0)
          ) as oldest
          where started_at > now() - make_interval(secs => rate_limit_seconds)
        )
      )::float8 as next_due_in_seconds,
      exists (select from limited) as limited,
      (select count(*) from job_server.lanes)::int as lanes,
      (
        (select id from job_server.jobs where state = 'blocked' order by concurrency_key limit 1) is not null
        or exists (select from staged where state = 'blocked')
      ) as blocked,
      ${options.leases ? nextLeaseEnd(sql) : sql`null::float8`} as next_lease_end_in_seconds`
  return (
    row ?? {
      staged: 0,
      nextDueInSeconds: null,
      limited: false,
      lanes: 0,
      blocked: false,
      nextLeaseEndInSeconds: null,
    }
  )
}

/** A condition that leaves out what is older: entries of what is over, if vacuum may not remove them. */
export function since(sql: Sql, at: Fragment, withinSeconds: number | undefined): Fragment {
  return withinSeconds === undefined
    ? sql``
    : sql`and ${at} > now() - make_interval(secs => ${withinSeconds})`
}

/** Of those that have run out already the next rescue takes care. */
function nextLeaseEnd(sql: Sql) {
  // jobs_lease_idx
  return sql`(
    select extract(epoch from lease_expires_at - now())::float8 from job_server.jobs
    where lease_epoch is not null and lease_expires_at > now()
    order by lease_expires_at
    limit 1
  )`
}
