/** Renews the leases of one owner, all in one statement. */
import type { Sql } from '../db.ts'
import { probe } from './probe.ts'
import type { Lease } from './row.ts'

export interface Heartbeat {
  /** No longer ours: rescued, finished or cancelled elsewhere. Their processes must end. */
  lost: Lease[]
  /** Still ours, and to be stopped because a client asked for it. */
  cancelling: Lease[]
}

export async function heartbeat(
  sql: Sql,
  leases: Lease[],
  options: { leaseSeconds: number },
): Promise<Heartbeat> {
  if (leases.length === 0) return { lost: [], cancelling: [] }
  // In the order in which ends are written: two that meet wait for one another, and not in a circle.
  const ordered = leases.toSorted((a, b) => (a.jobId < b.jobId ? -1 : 1))
  // jobs_pk; the epoch in the WHERE is the fence. Only a running job has one: to ask for the state, too, would invite an
  // index by state, which leads over all that lately ran and is gone.
  const rows = await sql<{ jobId: string; epoch: string; held: boolean; cancelling: boolean }[]>`
    with mine as (
      select * from unnest(${ordered.map(({ jobId }) => jobId)}::uuid[], ${ordered.map(({ epoch }) => epoch)}::bigint[]) as lease (job_id, epoch)
    ),
    renewed as (
      update job_server.jobs set
        lease_expires_at = now() + make_interval(secs => ${options.leaseSeconds}),
        heartbeat_at = now()
      from mine
      where ${probe(sql, sql`jobs.id`, sql`mine.job_id`)} and jobs.lease_epoch = mine.epoch
      returning jobs.id, jobs.lease_epoch, cancel_requested_at is not null as cancelling
    )
    select job_id, epoch, renewed.id is not null as held, coalesce(cancelling, false) as cancelling
    from mine left join renewed on renewed.id = mine.job_id and renewed.lease_epoch = mine.epoch`
  const leaseOf = ({ jobId, epoch }: Lease): Lease => ({ jobId, epoch })
  return {
    lost: rows.filter((row) => !row.held).map(leaseOf),
    cancelling: rows.filter((row) => row.cancelling).map(leaseOf),
  }
}
