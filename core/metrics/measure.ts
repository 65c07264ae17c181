/** The few numbers by which a fleet of workers is scaled and watched, in one statement. */
import type { Sql } from '../db.ts'
import { silentSeconds } from '../workers/read.ts'
import { liveGroups } from './live.ts'

export interface Measures {
  /** Jobs that a worker could take now; those of paused queues are left out. */
  waitingJobs: number
  runningJobs: number
  /** For how long the one that waits longest has been claimable; 0: none is. */
  oldestWaitingSeconds: number
  /** Workers that were heard of lately, and the jobs they can run at once. */
  workers: number
  slots: number
  deadLetters: number
}

/** Beside the count of what waits it reads jobs_running_idx and dead_letters_open_idx: what runs, and what failed. */
export async function measure(sql: Sql): Promise<Measures> {
  const [measures] = await sql<Measures[]>`
    with waiting as (
      select coalesce(sum(jobs), 0)::int as jobs, extract(epoch from max(counted_at - oldest_at)) as seconds
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
      coalesce(waiting.seconds, 0)::float8 as oldest_waiting_seconds,
      alive.workers,
      alive.slots,
      (select count(*)::int from job_server.dead_letters where redriven_at is null) as dead_letters
    from waiting, alive`
  if (measures === undefined) throw new Error('the database gave no measures')
  return measures
}
