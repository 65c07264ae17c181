/**
 * Leadership of the schedulers: a row held until a time, named by an epoch that grows with every change of hands.
 *
 *   nobody leads ──lead──► led, until its lease ends ──lead by the holder──► led for longer
 *                              │ resign                    │ the holder is silent
 *                              ▼                           ▼
 *                          anybody may lead            anybody may lead
 *
 * It keeps the others from doing the same work in vain, and shows who does it. What may happen only once does not
 * depend on it: a leader that was paused and goes on finds the work done.
 */
import type { Sql } from '../db.ts'
import { hasNews } from '../webhooks/news.ts'
import { type Beat, beating } from '../workers/beat.ts'

export interface Leadership {
  /** Null while another leads. */
  epoch: string | null
  /** Until the next schedule is due, on the database's clock; null: none is to come. */
  nextDueInSeconds: number | null
  /** The same of the next duty. */
  nextDutyInSeconds: number | null
  /** Whether there may be something to tell webhooks of. */
  hasNews: boolean
}

/**
 * Takes or renews leadership for `leaseSeconds`.
 * @param options.duties names of those that the holder knows
 * @param options.beat a sign of life that goes along
 */
export async function lead(
  sql: Sql,
  holder: string,
  { leaseSeconds, duties, beat }: { leaseSeconds: number; duties: string[]; beat?: Beat | undefined },
): Promise<Leadership> {
  // leases_pk, schedules_due_idx
  const [row] = await sql<Leadership[]>`
    with held as (
      insert into job_server.leases as held (name, holder, epoch, expires_at)
      values ('scheduler', ${holder}, 1, now() + make_interval(secs => ${leaseSeconds}))
      on conflict on constraint leases_pk do update set
        holder = excluded.holder,
        epoch = held.epoch + case when held.holder = excluded.holder then 0 else 1 end,
        expires_at = excluded.expires_at
      where held.holder = excluded.holder or held.expires_at < now()
      returning epoch
    )
    ${beat === undefined ? sql`` : sql`, alive as (${beating(sql, beat)})`}
    select
      (select epoch from held),
      (
        select extract(epoch from due_at - now())::float8 from job_server.schedules
        where due_at is not null
        order by due_at
        limit 1
      ) as next_due_in_seconds,
      (
        select extract(epoch from min(greatest(next_run_at, running_until)) - now())::float8
        from job_server.upkeep_duties
        where name = any(${duties})
      ) as next_duty_in_seconds,
      ${hasNews(sql)} as has_news`
  return row ?? { epoch: null, nextDueInSeconds: null, nextDutyInSeconds: null, hasNews: false }
}

/** Gives leadership up, so that another need not wait for the lease to run out. */
export async function resign(sql: Sql, holder: string): Promise<void> {
  await sql`update job_server.leases set expires_at = now() where name = 'scheduler' and holder = ${holder}`
}
