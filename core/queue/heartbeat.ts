/** Renews the leases of one owner, all in one statement; a lock that another holds on one job keeps none of the others waiting. */
import type { Sql } from '../db.ts'
import { probe } from './probe.ts'
import type { Lease } from './row.ts'

export interface Heartbeat {
  /** No longer ours: rescued, finished or cancelled elsewhere. Their processes must end. */
  lost: Lease[]
  /** Still ours, and to be stopped because a client asked for it. */
  cancelling: Lease[]
  /** Not renewed, as another holds a lock on the row. To be tried again soon. */
  inUse: Lease[]
}

export async function heartbeat(
  sql: Sql,
  leases: Lease[],
  options: { leaseSeconds: number },
): Promise<Heartbeat> {
  if (leases.length === 0) return { lost: [], cancelling: [], inUse: [] }
  // jobs_pk; the epoch in the WHERE is the fence. Only a running job has one: to ask for the state, too, would invite an
  // index by state, which leads over all that lately ran and is gone.
  const rows = await sql<(Lease & { held: boolean; cancelling: boolean; inUse: boolean })[]>`
    with mine as (
      select * from unnest(${leases.map(({ jobId }) => jobId)}::uuid[], ${leases.map(({ epoch }) => epoch)}::bigint[]) as lease (job_id, epoch)
    ),
    free as materialized (
      select running.*
      from mine
      cross join lateral (
        select id, lease_epoch from job_server.jobs where id = mine.job_id and lease_epoch = mine.epoch
        for no key update skip locked
      ) as running
    ),
    renewed as (
      update job_server.jobs set
        lease_expires_at = now() + make_interval(secs => ${options.leaseSeconds}),
        heartbeat_at = now()
      from free
      where ${probe(sql, sql`jobs.id`, sql`free.id`)} and jobs.lease_epoch = free.lease_epoch
      returning jobs.id, jobs.lease_epoch, cancel_requested_at is not null as cancelling
    )
    select
      job_id, epoch, renewed.id is not null as held, coalesce(cancelling, false) as cancelling,
      renewed.id is null and exists (
        select from job_server.jobs where id = mine.job_id and lease_epoch = mine.epoch offset 0
      ) as in_use
    from mine left join renewed on renewed.id = mine.job_id and renewed.lease_epoch = mine.epoch`
  const leaseOf = ({ jobId, epoch }: Lease): Lease => ({ jobId, epoch })
  return {
    lost: rows.filter((row) => !row.held && !row.inUse).map(leaseOf),
    cancelling: rows.filter((row) => row.cancelling).map(leaseOf),
    inUse: rows.filter((row) => row.inUse).map(leaseOf),
  }
}
