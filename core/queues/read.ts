/** Reads how full the queues are. */
import type { Sql } from '../db.ts'
import { liveGroups } from '../metrics/live.ts'

interface QueueDepth {
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

interface QueueView extends QueueDepth {
  name: string
  pausedAt: Date | null
}

export interface QueuePage {
  queues: QueueView[]
  /** How many queues there are in all. */
  total: number
  /** Of all of them together. */
  all: QueueDepth
}

/** Every queue that has jobs or lately had some, is paused, or is a definition's, by name. */
export async function listQueues(
  sql: Sql,
  { limit, offset }: { limit: number; offset: number },
): Promise<QueuePage> {
  // What the page leaves out is grouped too, by the same reading of the jobs.
  const rows = await sql<(Partial<QueueView> & { total: number; all: QueueDepth })[]>`
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
      select name from job_server.queues where paused_at is not null
      union
      select queue from job_server.lanes
    ),
    whole as (
      select jsonb_build_object(
        'ready', coalesce(sum(ready), 0), 'blocked', coalesce(sum(blocked), 0), 'scheduled', coalesce(sum(scheduled), 0),
        'running', coalesce(sum(running), 0), 'waiting', coalesce(sum(waiting), 0), 'oldestAgeSeconds', max(oldest_age_seconds)
      ) as all
      from counted
    ),
    page as (
      select
        name, paused_at, coalesce(ready, 0) as ready, coalesce(blocked, 0) as blocked, coalesce(scheduled, 0) as scheduled,
        coalesce(running, 0) as running, coalesce(waiting, 0) as waiting, oldest_age_seconds
      from names
      left join job_server.queues using (name)
      left join counted on counted.queue = names.name
      order by name
      limit ${limit} offset ${offset}
    )
    select page.*, whole.all, (select count(*)::int from names) as total
    from whole left join page on true
    order by name`
  const [first] = rows
  if (first === undefined) throw new Error('the queues gave no sum')
  const queues = rows.flatMap(({ total: _total, all: _all, ...queue }) =>
    queue.name === null ? [] : [queue as QueueView],
  )
  return { queues, total: first.total, all: first.all }
}
