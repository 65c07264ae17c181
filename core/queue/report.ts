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

/** Reports under a lease that is no longer the job's are dropped, their events too. */
export async function report(sql: Sql, reports: Report[]): Promise<void> {
  if (reports.length === 0) return
  // In the order in which ends are written: two that meet wait for one another, and not in a circle.
  const ordered = reports.toSorted((a, b) => (a.lease.jobId < b.lease.jobId ? -1 : 1))
  const rows = ordered.map(({ lease, progress, checkpoint, events }) => ({
    job_id: lease.jobId,
    epoch: lease.epoch,
    progress: progress ?? null,
    checkpoint: checkpoint === undefined ? null : checkpoint.value,
    has_checkpoint: checkpoint !== undefined,
    events,
  }))
  await sql`
    with reported as (
      select * from jsonb_to_recordset(${sql.json(jsonParameter(storable(rows)))}) as given (
        job_id uuid, epoch bigint, progress jsonb, checkpoint jsonb, has_checkpoint boolean, events jsonb
      )
    ),
    held as (
      update job_server.jobs set
        progress = coalesce(reported.progress, jobs.progress),
        checkpoint = case when reported.has_checkpoint then reported.checkpoint else jobs.checkpoint end
      from reported
      where ${probe(sql, sql`jobs.id`, sql`reported.job_id`)} and jobs.lease_epoch = reported.epoch
      returning jobs.id, reported.events
    )
    insert into job_server.events (job_id, event_type, payload)
    select id, event ->> 'type', event -> 'payload'
    from held, jsonb_array_elements(held.events) with ordinality as listed (event, position)
    order by id, position`
}
