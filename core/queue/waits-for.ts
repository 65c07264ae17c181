/** What a job that is queued waits for: the question that is asked first when one does not run. */
import type { Sql } from '../db.ts'
import { silentSeconds } from '../workers/read.ts'
import { roomLeft } from './claim.ts'

export const waitReasons = [
  'time',
  'dependencies',
  'children',
  'paused_queue',
  'concurrency_key',
  'no_worker',
  'limit',
  'slot',
] as const

export interface WaitsFor {
  reason: (typeof waitReasons)[number]
  /** Of dependencies and children: those that have not ended, a hundred at most. */
  jobIds: string[]
  /** Of `concurrency_key`: the key whose jobs have all its places. */
  concurrencyKey: string | null
}

const namedJobs = 100

/** @returns what stands in its way now; null for a job that is not queued */
export async function readWaitsFor(sql: Sql, jobId: string): Promise<WaitsFor | null> {
  // jobs_pk; for one that waits for others job_dependencies_pk or jobs_parent_idx, for one that is ready the few rows of
  // queues and workers, and for a definition with limits jobs_running_idx and rate_starts_idx.
  const [row] = await sql<WaitsFor[]>`
    select
      case
        when job.state = 'scheduled' then 'time'
        when job.state = 'waiting' and parents.ids <> '{}' then 'dependencies'
        when job.state = 'waiting' then 'children'
        when exists (select from job_server.queues where name = job.queue and paused_at is not null) then 'paused_queue'
        when job.state = 'blocked' then 'concurrency_key'
        when not exists (
          select from job_server.workers
          where kind = 'worker' and heartbeat_at > now() - make_interval(secs => ${silentSeconds})
            and (info -> 'queues' = '[]' or info -> 'queues' ? job.queue)
            and info -> 'definitions' ? (job.definition_key || '@' || job.definition_version)
        ) then 'no_worker'
        when (
          select ${roomLeft(sql, sql`job`)} from job_server.definitions
          where key = job.definition_key and version = job.definition_version
        ) <= 0 then 'limit'
        else 'slot'
      end as reason,
      case when parents.ids <> '{}' then parents.ids else children.ids end as job_ids,
      case when job.state = 'blocked' then job.concurrency_key end as concurrency_key
    from job_server.jobs as job
    cross join lateral (
      select array(
        select depends_on from job_server.job_dependencies
        where job.state = 'waiting' and job_id = job.id and exists (select from job_server.jobs where id = depends_on)
        limit ${namedJobs}
      ) as ids
    ) as parents
    cross join lateral (
      select array(
        select id from job_server.jobs as child where job.state = 'waiting' and child.parent_id = job.id limit ${namedJobs}
      ) as ids
    ) as children
    where job.id = ${jobId} and job.state <> 'running'`
  return row ?? null
}
