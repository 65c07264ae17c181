/** Writes what running jobs report, for many jobs in one statement: progress, checkpoints and own events. */
import type { Sql } from '../db.ts'
import { type Json, type JsonObject, storable } from '../json.ts'
import { probe } from './probe.ts'
import { jsonParameter, type Lease } from './row.ts'

export interface Report {
  lease: Lease
  /** The newest of each; what is left out stays as it was. */
  progress?: JsonObject
  checkpoint?: { value: Json }
  events: { type: string; payload: JsonObject }[]
}

/**
 * Reports under a lease that is no longer the job's are dropped, their events too.
 * @returns the leases of those not written, as another holds a lock on the job
 */
export async function report(sql: Sql, reports: Report[]): Promise<Lease[]> {
  if (reports.length === 0) return []
  const rows = reports.map(({ lease, progress, checkpoint, events }) => ({
    job_id: lease.jobId,
    epoch: lease.epoch,
    progress: progress ?? null,
    checkpoint: checkpoint === undefined ? null : checkpoint.value,
    has_checkpoint: checkpoint !== undefined,
    events,
  }))
  // jobs_pk
  const inUse = await sql<Lease[]>`
    with reported as (
      select * from jsonb_to_recordset(${sql.json(jsonParameter(storable(rows)))}) as given (
        job_id uuid, epoch bigint, progress jsonb, checkpoint jsonb, has_checkpoint boolean, events jsonb
      )
    ),
    free as materialized (
      select reported.*
      from reported
      cross join lateral (
        select from job_server.jobs where id = reported.job_id and lease_epoch = reported.epoch
        for no key update skip locked
      ) as running
    ),
    held as (
      update job_server.jobs set
        progress = coalesce(free.progress, jobs.progress),
        checkpoint = case when free.has_checkpoint then free.checkpoint else jobs.checkpoint end
      from free
      where ${probe(sql, sql`jobs.id`, sql`free.job_id`)} and jobs.lease_epoch = free.epoch
      returning jobs.id, free.events
    ),
    noted as (
      insert into job_server.events (job_id, event_type, payload, is_own)
      select id, event ->> 'type', event -> 'payload', true
      from held, jsonb_array_elements(held.events) with ordinality as listed (event, position)
      order by id, position
    )
    select job_id, epoch from reported
    where not exists (select from held where held.id = reported.job_id)
      and exists (select from job_server.jobs where id = reported.job_id and lease_epoch = reported.epoch offset 0)`
  return inUse.map(({ jobId, epoch }) => ({ jobId, epoch }))
}
