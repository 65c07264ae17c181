/** Groups tallies as totals are kept: by what ended and by buckets of time. */
import type { Fragment, Sql } from '../db.ts'

/** Upper bounds in seconds. A total carries its bound, so a change here leaves what was counted true. */
const runBounds = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14_400]
const waitBounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600]

/** @param tallies rows of `end_tallies` */
export function endGroups(sql: Sql, tallies: Fragment) {
  return sql`
    select
      definition_key, definition_version, status, coalesce(outcome, 'none') as outcome,
      case when outcome is null then 0 else ${boundOf(sql, sql`run_seconds`, runBounds)} end as run_le,
      count(*) as ends, count(outcome) filter (where status <> 'queued' and attempts > 1) as retried,
      coalesce(sum(run_seconds), 0) as run_seconds, coalesce(sum(queue_seconds), 0) as queue_seconds
    from (
      select
        *,
        case when outcome is not null then extract(epoch from ended_at - started_at) end::float8 as run_seconds,
        case when outcome is not null then extract(epoch from started_at - queued_at) end::float8 as queue_seconds
      from ${tallies}
    ) as ended
    group by 1, 2, 3, 4, 5`
}

/** Jobs of which it is not known since when they could have been claimed are left out. @param tallies rows of `claim_tallies` */
export function claimGroups(sql: Sql, tallies: Fragment) {
  return sql`
    select
      queue, ${boundOf(sql, sql`wait_seconds`, waitBounds)} as wait_le,
      count(*) as claims, sum(wait_seconds) as wait_seconds
    from (
      select queue, greatest(extract(epoch from claimed_at - claimable_at), 0)::float8 as wait_seconds
      from ${tallies}
      where claimable_at is not null
    ) as waited
    group by 1, 2`
}

function boundOf(sql: Sql, seconds: Fragment, bounds: number[]) {
  return sql`(${bounds}::float8[] || 'infinity'::float8)[width_bucket(${seconds}, ${bounds}::float8[]) + 1]`
}
