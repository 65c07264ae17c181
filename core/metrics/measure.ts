/** The few numbers by which a fleet of workers is scaled and watched, in one statement. */
import type { Sql } from '../db.ts'
import { silentSeconds } from '../workers/read.ts'
import { liveGroups } from './live.ts'

export interface Measures {
  /** Jobs in line; those of paused queues are left out. */
  waitingJobs: number
  runningJobs: number
  /** Jobs that run, and those of the waiting that more workers could run now: no limit and no missing definition stands in their way. */
  wantedSlots: number
  /** For how long the one of these that waits longest has been claimable; 0: none is. Definitions with limits do not count. */
  oldestWaitingSeconds: number
  /** Jobs that wait for a definition or a queue that none of the living workers has. */
  unservedJobs: number
  /** Workers that were heard of lately, and the jobs they can run at once. */
  workers: number
  slots: number
  deadLetters: number
}

/** Beside the counts of what waits it reads jobs_running_idx and dead_letters_open_idx: what runs, and what failed. */
export async function measure(sql: Sql): Promise<Measures> {
  const [measures] = await sql<Measures[]>`
    with waiting as (
      select coalesce(sum(jobs), 0)::int as jobs
      from (${liveGroups(sql)}) as live
      where state = 'ready'
        and not exists (select from job_server.queues where name = queue and paused_at is not null)
    ),
    alive as (
      select count(*)::int as workers, coalesce(sum(slots), 0)::int as slots
      from job_server.workers
      where kind = 'worker' and heartbeat_at > now() - make_interval(secs => ${silentSeconds})
    )
    select
      waiting.jobs as waiting_jobs,
      (select count(*)::int from job_server.jobs where state = 'running') as running_jobs,
      demand.jobs::int as wanted_slots,
      demand.oldest_seconds as oldest_waiting_seconds,
      demand.unserved_jobs::int as unserved_jobs,
      alive.workers,
      alive.slots,
      (select count(*)::int from job_server.dead_letters where redriven_at is null) as dead_letters
    from waiting, alive, job_server.demand()`
  if (measures === undefined) throw new Error('the database gave no measures')
  return measures
}
