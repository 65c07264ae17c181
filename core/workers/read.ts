/** Lists the workers and schedulers that were heard of lately. */
import type { Sql } from '../db.ts'
import type { JsonObject } from '../json.ts'
import type { Beat } from './beat.ts'

export interface WorkerView extends Omit<Beat, 'metrics'> {
  runningJobs: number
  startedAt: Date
  heartbeatAt: Date
  /** Whether its last sign of life is recent. */
  alive: boolean
  /** Whether it is the scheduler that leads. */
  leader: boolean
  info: JsonObject
}

/** Three beats; who says nothing for longer is not alive. */
export const silentSeconds = 30

/** By kind and id. Those that ended well are not among them. */
export async function listWorkers(sql: Sql): Promise<WorkerView[]> {
  // jobs_running_idx holds the running jobs alone.
  return await sql<WorkerView[]>`
    with running as (
      select worker_id, count(*)::int as jobs from job_server.jobs where state = 'running' group by worker_id
    )
    select
      id, kind, slots, coalesce(running.jobs, 0) as running_jobs, started_at, heartbeat_at,
      heartbeat_at > now() - make_interval(secs => ${silentSeconds}) as alive,
      exists (
        select from job_server.leases
        where name = 'scheduler' and holder = workers.id and expires_at > now()
      ) as leader,
      info
    from job_server.workers
    left join running on running.worker_id = workers.id
    order by kind, id`
}
