/** Makes due jobs claimable. Delayed and backing-off jobs stand outside the claim's index until then. */
import type { Sql } from '../db.ts'

/**
 * @returns how many became ready, and the seconds until the next one is due (null: none waits). The clock is
 *   the database's.
 */
export async function stage(
  sql: Sql,
  options: { limit: number },
): Promise<{ staged: number; nextDueInSeconds: number | null }> {
  // jobs_due_idx for both; skip locked lets any number of stagers share the work.
  const [row] = await sql<{ staged: number; nextDueInSeconds: number | null }[]>`
    with due as materialized (
      select id from job_server.jobs
      where state = 'scheduled' and scheduled_at <= now()
      order by scheduled_at
      limit ${options.limit}
      for update skip locked
    ),
    staged as (
      update job_server.jobs set state = 'ready' from due where jobs.id = due.id
      returning jobs.id
    )
    select
      (select count(*) from staged)::int as staged,
      (
        select greatest(0, extract(epoch from scheduled_at - now()))::float8 from job_server.jobs
        where state = 'scheduled' and scheduled_at > now()
        order by scheduled_at
        limit 1
      ) as next_due_in_seconds`
  return row ?? { staged: 0, nextDueInSeconds: null }
}
