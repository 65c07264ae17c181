/**
 * How many jobs are not finished, by where they stand. Counting reads them all, which is nothing for thousands and takes
 * seconds for millions. So many are counted by upkeep, again and again, and who asks gets its last count, with its time;
 * while there are fewer, or when nobody does the upkeep, who asks gets what is true in the snapshot of the statement.
 */
import type { Sql } from '../db.ts'

/** Pages of `jobs`, 32 MB: to read them takes a few tens of milliseconds where they are in memory. */
const manyPages = 4096
/** Counting may take a twentieth of one processor. */
const restFactor = 20
const validSeconds = 60

/**
 * Rows of `queue, definition_key, definition_version, state, cancelling, jobs, oldest_at, counted_at`: the number of
 * jobs of each group, and since when the oldest of those that are ready could be claimed.
 */
export function liveGroups(sql: Sql) {
  const kept = sql`job_server.live_count where valid_until > now()`
  return sql`
    select counted.*, counted_at
    from (select * from ${kept}) as kept
    cross join lateral jsonb_to_recordset(groups) as counted (
      queue text, definition_key text, definition_version int, state text, cancelling boolean, jobs bigint, oldest_at timestamptz
    )
    union all
    select *, now() from (${grouped(sql)} where not exists (select from ${kept}) ${groupedBy(sql)}) as counted`
}

/** When the unfinished jobs were counted whose numbers are given; null: they are counted for each who asks. */
export async function liveCountedAt(sql: Sql): Promise<Date | null> {
  const [kept] = await sql<{ countedAt: Date }[]>`
    select counted_at from job_server.live_count where valid_until > now()`
  return kept?.countedAt ?? null
}

/**
 * Counts where there is much to count and the last count is old enough, and forgets the count where there is not.
 * @param options.manyPages of the table of jobs; default 32 MB of them
 * @returns how many jobs there were, null where they were not counted
 */
export async function keepLiveCount(sql: Sql, options: { manyPages?: number } = {}): Promise<number | null> {
  const [look] = await sql<{ isMany: boolean; isKept: boolean; isDue: boolean }[]>`
    select
      pg_relation_size('job_server.jobs') > ${options.manyPages ?? manyPages}::bigint * current_setting('block_size')::int as is_many,
      exists (select from job_server.live_count) as is_kept,
      not exists (
        select from job_server.live_count
        where valid_until > now() + make_interval(secs => ${validSeconds})
      ) as is_due`
  if (!look?.isMany) {
    if (look?.isKept) await sql`delete from job_server.live_count`
    return null
  }
  if (!look.isDue) return null
  // The next is due when the rest is over, and the count is valid for as long again as upkeep may take to come by.
  const [count] = await sql<{ jobs: number }[]>`
    with counted as materialized (${grouped(sql)} ${groupedBy(sql)}),
    whole as (select coalesce(jsonb_agg(to_jsonb(counted)), '[]') as groups, coalesce(sum(jobs), 0) as jobs from counted),
    kept as (
      insert into job_server.live_count as kept (counted_at, valid_until, groups)
      select
        now(),
        clock_timestamp() + ${restFactor} * (clock_timestamp() - statement_timestamp()) + make_interval(secs => ${validSeconds}),
        groups
      from whole
      on conflict on constraint live_count_pk do update set
        counted_at = excluded.counted_at, valid_until = excluded.valid_until, groups = excluded.groups
    )
    select jobs::float8 from whole`
  return count?.jobs ?? null
}

function grouped(sql: Sql) {
  return sql`
    select
      queue, definition_key, definition_version, state, cancel_requested_at is not null as cancelling, count(*) as jobs,
      min(greatest(turn_at, scheduled_at)) filter (where state = 'ready') as oldest_at
    from job_server.jobs`
}

function groupedBy(sql: Sql) {
  return sql`group by queue, definition_key, definition_version, state, cancelling`
}
