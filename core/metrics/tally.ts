/**
 * Counts ends and claims as they happen: parts of the very statements that end and claim, so a count is true when
 * the thing is. They append bare facts to tables without an index; grouping them here would make the statement for a
 * single job 12 % longer, most of it planning, this way 4 % (measured).
 */
import type { Sql } from '../db.ts'

/** Reads `decided` of `endJobs`: rows of `jobs` as they were, with status and outcome. */
export function tallyEnds(sql: Sql) {
  return sql`
    insert into job_server.end_tallies (
      ended_at, definition_key, definition_version, status, outcome, attempts, queued_at, started_at
    )
    select
      now(), definition_key, definition_version, status,
      case when lease_epoch is null then null when status = 'cancelled' then 'cancelled' else outcome end,
      attempts, queued_at, started_at
    from decided`
}

/** Reads `claimed` of `claim`: the queue of each job and `claimable_at`, since when it could have been claimed. */
export function tallyClaims(sql: Sql) {
  return sql`
    insert into job_server.claim_tallies (queue, claimed_at, claimable_at)
    select queue, now(), claimable_at from claimed`
}
