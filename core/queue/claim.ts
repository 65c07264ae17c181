/**
 * Takes jobs that are ready, each with a lease of its own: a fresh epoch from one sequence, never used twice,
 * that every later write of the owner must name.
 */
import type { Sql } from '../db.ts'
import type { Json, JsonObject } from '../json.ts'
import type { Lease } from './row.ts'

export interface ClaimedJob {
  lease: Lease
  definitionKey: string
  definitionVersion: number
  attempt: number
  maxAttempts: number
  timeoutSeconds: number
  params: JsonObject
  checkpoint: Json
  queuedAt: Date
}

export interface ClaimRequest {
  workerId: string
  /** Only jobs of these definitions: those whose code this worker has loaded. */
  definitions: { key: string; version: number }[]
  /** Only these queues; all when empty. */
  queues: string[]
  limit: number
  leaseSeconds: number
}

/** Up to `limit` jobs, highest priority first, oldest first among equals. Jobs others hold are passed over. */
export async function claim(sql: Sql, request: ClaimRequest): Promise<ClaimedJob[]> {
  const { workerId, definitions, queues, limit, leaseSeconds } = request
  if (limit < 1 || definitions.length === 0) return []
  const loaded = sql`
    (definition_key, definition_version) in (
      select * from unnest(${definitions.map(({ key }) => key)}::text[], ${definitions.map(({ version }) => version)}::int[])
    )`
  // jobs_ready_idx for all queues. For named ones jobs_ready_queue_idx, queue by queue, so that what waits
  // elsewhere is not read.
  const candidates =
    queues.length === 0
      ? sql`
          select id from job_server.jobs
          where state = 'ready' and ${loaded}
          order by priority desc, id
          limit ${limit}
          for update skip locked`
      : sql`
          select next.id from unnest(${queues}::text[]) as wanted (queue)
          cross join lateral (
            select id, priority from job_server.jobs
            where state = 'ready' and jobs.queue = wanted.queue and ${loaded}
            order by priority desc, id
            limit ${limit}
            for update skip locked
          ) as next
          order by next.priority desc, next.id
          limit ${limit}`
  const rows = await sql<(Omit<ClaimedJob, 'lease'> & { id: string; leaseEpoch: string })[]>`
    with candidates as materialized (${candidates}),
    claimed as (
      update job_server.jobs set
        state = 'running',
        attempts = attempts + 1,
        worker_id = ${workerId},
        lease_epoch = nextval('job_server.lease_epochs'),
        lease_expires_at = now() + make_interval(secs => ${leaseSeconds}),
        heartbeat_at = now(),
        started_at = now(),
        scheduled_at = null,
        progress = null
      from candidates
      where jobs.id = candidates.id
      returning jobs.*
    ),
    noted as (
      insert into job_server.events (job_id, event_type, payload)
      select id, 'started', jsonb_build_object('attempt', attempts, 'workerId', worker_id) from claimed
    )
    select
      id, lease_epoch, definition_key, definition_version, attempts as attempt, max_attempts, timeout_seconds,
      params, checkpoint, queued_at
    from claimed
    order by priority desc, id`
  return rows.map(({ id, leaseEpoch, ...job }) => ({ ...job, lease: { jobId: id, epoch: leaseEpoch } }))
}
