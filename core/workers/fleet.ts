/** How much the workers that live can take on, for jobs that may be divided among them. */
import type { Sql } from '../db.ts'
import type { Fleet } from '../job.ts'
import { silentSeconds } from './read.ts'

export async function readFleet(sql: Sql): Promise<Fleet> {
  // jobs_running_idx and jobs_ready_idx. Of a long backlog no more is counted than there are slots.
  const [row] = await sql<[Fleet]>`
    with living as (
      select coalesce(sum(slots), 0)::int as slots from job_server.workers
      where kind = 'worker' and heartbeat_at > now() - make_interval(secs => ${silentSeconds})
    )
    select
      slots,
      greatest(0, slots
        - (select count(*)::int from job_server.jobs where state = 'running')
        - (select count(*)::int from (select from job_server.jobs where state = 'ready' limit slots) as waiting)
      ) as free_slots
    from living`
  return row
}
