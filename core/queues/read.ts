/** Reads how full the queues are. */
import type { Sql } from '../db.ts'
import { liveGroups } from '../metrics/live.ts'

export interface QueueView {
  name: string
  pausedAt: Date | null
  /** Claimable now, and held back by a concurrency key. */
  ready: number
  blocked: number
  /** Due later: delayed, or backing off. */
  scheduled: number
  running: number
  /** Waiting for other jobs. */
  waiting: number
  /** Seconds since the oldest claimable job stood in line; null: none does. */
  oldestAgeSeconds: number | null
}

/** Every queue that has jobs, is paused, or is a definition's, by name. */
export async function listQueues(sql: Sql): Promise<QueueView[]> {
  return await sql<QueueView[]>`
    with counted as (
      select
        queue,
        sum(jobs) filter (where state = 'ready')::int as ready,
        sum(jobs) filter (where state = 'blocked')::int as blocked,
        sum(jobs) filter (where state = 'scheduled')::int as scheduled,
        sum(jobs) filter (where state = 'running')::int as running,
        sum(jobs) filter (where state = 'waiting')::int as waiting,
        extract(epoch from max(counted_at - oldest_at))::float8 as oldest_age_seconds
      from (${liveGroups(sql)}) as live
      group by queue
    ),
    names as (
      select name from job_server.queues
      union
      select queue from job_server.lanes
    )
    select
      name, paused_at, coalesce(ready, 0) as ready, coalesce(blocked, 0) as blocked, coalesce(scheduled, 0) as scheduled,
      coalesce(running, 0) as running, coalesce(waiting, 0) as waiting, oldest_age_seconds
    from names
    left join job_server.queues using (name)
    left join counted on counted.queue = names.name
    order by name`
}
