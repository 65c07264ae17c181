/**
 * Folds tallies into totals. Each tally is deleted by the statement that adds it, so it is counted once, whatever
 * number of callers fold at the same time and whoever dies in between.
 */
import type { Sql } from '../db.ts'
import { internalDefinitions } from '../definitions/internal.ts'
import { noteUse } from '../queue/lanes.ts'
import { claimGroups, endGroups } from './groups.ts'

/** Longer than throughput looks back. */
const minutesKeptDays = 8

/** @returns how many tallies were folded; `options.limit` of each kind at most */
export async function foldTallies(
  sql: Sql,
  options: { limit: number },
): Promise<{ ends: number; claims: number }> {
  const ends = await foldEnds(sql, options.limit)
  const claims = await foldClaims(sql, options.limit)
  if (ends > 0) {
    await sql`
      delete from job_server.end_minutes where minute < now() - make_interval(days => ${minutesKeptDays})`
  }
  return { ends, claims }
}

async function foldEnds(sql: Sql, limit: number): Promise<number> {
  // A scan of what is not folded yet; skip locked lets any number of callers share the work. Totals are written in
  // one order by all, so callers that meet wait for one another and don't deadlock.
  const [row] = await sql<{ folded: number }[]>`
    with taken as (
      delete from job_server.end_tallies
      where ctid = any(array(select ctid from job_server.end_tallies limit ${limit} for update skip locked))
      returning *
    ),
    grouped as (${endGroups(sql, sql`taken`)}),
    totalled as (
      insert into job_server.end_totals as total (
        definition_key, definition_version, status, outcome, run_le, ends, retried, run_seconds, queue_seconds
      )
      select definition_key, definition_version, status, outcome, run_le, ends, retried, run_seconds, queue_seconds
      from grouped
      order by definition_key, definition_version, status, outcome, run_le
      on conflict on constraint end_totals_pk do update set
        ends = total.ends + excluded.ends,
        retried = total.retried + excluded.retried,
        run_seconds = total.run_seconds + excluded.run_seconds,
        queue_seconds = total.queue_seconds + excluded.queue_seconds
    ),
    timed as (
      insert into job_server.end_minutes as total (minute, succeeded, failed, cancelled)
      select
        date_trunc('minute', ended_at) as minute, count(*) filter (where status = 'succeeded'),
        count(*) filter (where status = 'failed'), count(*) filter (where status = 'cancelled')
      from taken
      where status <> 'queued' and definition_key <> all(${internalDefinitions}::text[])
      group by minute
      order by minute
      on conflict on constraint end_minutes_pk do update set
        succeeded = total.succeeded + excluded.succeeded,
        failed = total.failed + excluded.failed,
        cancelled = total.cancelled + excluded.cancelled
    )
    select count(*)::int as folded from taken`
  return row?.folded ?? 0
}

async function foldClaims(sql: Sql, limit: number): Promise<number> {
  const [row] = await sql<{ folded: number }[]>`
    with taken as (
      delete from job_server.claim_tallies
      where ctid = any(array(select ctid from job_server.claim_tallies limit ${limit} for update skip locked))
      returning *
    ),
    totalled as (
      insert into job_server.claim_totals as total (queue, wait_le, claims, wait_seconds)
      select queue, wait_le, claims, wait_seconds from (${claimGroups(sql, sql`taken`)}) as grouped
      order by queue, wait_le
      on conflict on constraint claim_totals_pk do update set
        claims = total.claims + excluded.claims,
        wait_seconds = total.wait_seconds + excluded.wait_seconds
    ),
    used as (${noteUse(sql, sql`queue in (select queue from taken)`)})
    select count(*)::int as folded from taken`
  return row?.folded ?? 0
}
