/**
 * Ends attempts: the only way out of `running`. The lease epoch in the WHERE is the fence: an end under an epoch
 * that is no longer the job's changes nothing and comes back as lost.
 */
import { endWhenStill, type Pool, type Sql, waitBriefly } from '../db.ts'
import type { ChildJob } from '../job.ts'
import type { FinalStatus } from '../job-state.ts'
import { type Json, type JsonObject, storable } from '../json.ts'
import { type EndedJob, endedAs, endJobs, temporaryMark } from './end-jobs.ts'
import { type EnqueueInput, enqueueMany, type ParentJob } from './enqueue.ts'
import { release } from './release.ts'
import { jsonParameter, type Lease } from './row.ts'
import { since } from './stage.ts'
import { hintWork } from './wake.ts'

export type End =
  | { kind: 'succeeded'; result: Json }
  | {
      kind: 'failed'
      /** How the attempt ended, for its record: threw, exited, signalled, timed_out, … */
      outcome: string
      errorCode: string
      message: string
      details?: JsonObject
      retry: boolean
      retryInSeconds: number
      /** Whether the attempt took its process down. */
      crashed: boolean
    }
  /** Given back: at the head of its queue, no attempt spent. */
  | { kind: 'interrupted' }
  /** Later, no attempt spent. */
  | { kind: 'snoozed'; seconds: number }
  /** The process was stopped because a client cancelled the job. */
  | { kind: 'cancelled' }

/** The job goes on when these have ended. */
export interface Children {
  jobs: ChildJob[]
  /** `fail`: the job fails with the first child that does not succeed. `continue`: it gets to know. */
  onFailure: 'fail' | 'continue'
}

export interface Finished {
  lease: Lease
  /** What became of the job; `queued` when it runs again. */
  status: FinalStatus | 'queued'
  /** From the request to cancel until now, of a job that it cancelled. */
  cancelSeconds?: number
}

/**
 * Safe to repeat when an answer got lost: an end that was written under the same lease before is reported as it
 * was then, not as lost.
 * @returns what became of each job, and the leases that were no longer the jobs'
 */
export async function finish(
  sql: Pool,
  ends: { lease: Lease; end: End }[],
): Promise<{ finished: Finished[]; lost: Lease[] }> {
  if (ends.length === 0) return { finished: [], lost: [] }
  const rows = ends.map(({ lease, end }) => ({ job_id: lease.jobId, epoch: lease.epoch, ...endColumns(end) }))
  const succeeded = ends.every(({ end }) => end.kind === 'succeeded')
  const ended = await endJobs(sql, endedAttempts(sql, rows), { succeeded })
  await release(sql, ended)
  const finished = finishedOf(ended)
  const without = (leases: Lease[], found: Finished[]) => {
    const epochs = new Set(found.map(({ lease }) => lease.epoch))
    return leases.filter(({ epoch }) => !epochs.has(epoch))
  }
  const notNow = without(
    ends.map(({ lease }) => lease),
    finished,
  )
  const before = await endedBefore(sql, notNow)
  return { finished: [...finished, ...before], lost: without(notNow, before) }
}

/**
 * The job waits for the children, which are enqueued in the same transaction; it holds no slot meanwhile, and no
 * attempt is spent. A job that is being cancelled gets none and is cancelled.
 * @throws what `enqueueMany` throws when a child can't be enqueued; the job then still runs
 */
export async function finishWithChildren(
  sql: Pool,
  lease: Lease,
  { jobs, onFailure }: Children,
): Promise<Finished | 'lost'> {
  const row = {
    job_id: lease.jobId,
    epoch: lease.epoch,
    kind: 'waiting',
    outcome: 'waiting',
    child_failure: onFailure,
  }
  const ended = await sql.begin(async (tx) => {
    // Who is paused in the middle keeps the job's row, and nobody can rescue the job meanwhile.
    await tx`select ${endWhenStill(tx)}, ${waitBriefly(tx)}`
    const [job] = await endJobs(tx, endedAttempts(tx, [row]))
    if (job?.status === 'queued') {
      const [parent] = await tx<[ParentJob]>`
        select id, queue, priority, tags from job_server.jobs where id = ${lease.jobId}`
      await enqueueMany(tx, jobs.map(asInput), { parent })
    }
    return job
  })
  if (ended === undefined) return (await endedBefore(sql, [lease]))[0] ?? 'lost'
  hintWork(sql)
  // Without children there is nobody whose end would wake it.
  await release(sql, [ended])
  return { lease, status: ended.status }
}

/** The end of a job whose children can't be enqueued. */
export function childrenRefused(problem: string): End {
  return {
    kind: 'failed',
    outcome: 'threw',
    errorCode: 'invalid_children',
    message: `The children could not be enqueued: ${problem}`,
    retry: false,
    retryInSeconds: 0,
    crashed: false,
  }
}

function asInput({ temporaryOutputs = false, ...job }: ChildJob): EnqueueInput {
  return temporaryOutputs ? { ...job, metadata: temporaryMark } : job
}

/**
 * Takes jobs from owners whose leases ran out; each such attempt is recorded and charged.
 * @param options.withinSeconds only leases that ran out in so many last seconds
 */
export async function rescue(
  sql: Pool,
  options: { limit: number; withinSeconds?: number | undefined },
): Promise<Finished[]> {
  // jobs_lease_idx, for which the state must not be named (0066_leases.sql); skip locked lets any number of rescuers
  // share the work.
  const ended = await endJobs(
    sql,
    sql`
      select jobs.*, ${endedAs(sql, {
        kind: 'failed',
        outcome: 'lease_expired',
        errorCode: 'lease_expired',
        message: sql`'The worker ' || worker_id || ' stopped renewing its lease.'`,
        retry: true,
        crashed: true,
      })}
      from job_server.jobs
      where lease_epoch is not null and worker_id is not null and lease_expires_at < now() ${since(sql, sql`lease_expires_at`, options.withinSeconds)}
      order by lease_expires_at
      limit ${options.limit}
      for update skip locked`,
  )
  await release(sql, ended)
  return finishedOf(ended)
}

/** jobs_pk, row by row in one order for all. Only a running job has an epoch. */
function endedAttempts(sql: Sql, rows: JsonObject[]) {
  return sql`
    select
      running.*, given.kind, given.outcome, given.result, given.new_error_code, given.message, given.details, given.retry,
      coalesce(given.retry_in_seconds, 0) as retry_in_seconds, coalesce(given.crashed, false) as crashed,
      given.child_failure
    from (
      select *
      from jsonb_to_recordset(${sql.json(jsonParameter(storable(rows)))}) as one (
        job_id uuid, epoch bigint, kind text, outcome text, result jsonb, new_error_code text, message text,
        details jsonb, retry boolean, retry_in_seconds float8, crashed boolean, child_failure text
      )
      order by job_id
    ) as given
    cross join lateral (
      select * from job_server.jobs where jobs.id = given.job_id and lease_epoch = given.epoch for update
    ) as running`
}

/** Those of the leases under which an end was already written by their owner. */
async function endedBefore(sql: Sql, leases: Lease[]): Promise<Finished[]> {
  if (leases.length === 0) return []
  // attempts_pk and job_history_pk; the epoch in history is that of the attempt which decided the job.
  const rows = await sql<{ jobId: string; epoch: string; status: Finished['status'] }[]>`
    select attempts.job_id, attempts.lease_epoch as epoch, coalesce(job_history.status, 'queued') as status
    from unnest(${leases.map(({ jobId }) => jobId)}::uuid[], ${leases.map(({ epoch }) => epoch)}::bigint[]) as lease (job_id, epoch)
    cross join lateral (
      select job_id, lease_epoch, outcome from job_server.attempts
      where job_id = lease.job_id and lease_epoch = lease.epoch
      offset 0
    ) as attempts
    left join lateral (
      select status from job_server.job_history where id = lease.job_id and lease_epoch = lease.epoch
      offset 0
    ) as job_history on true
    where attempts.outcome <> 'lease_expired'`
  return rows.map(({ jobId, epoch, status }) => ({ lease: { jobId, epoch }, status }))
}

function finishedOf(ended: EndedJob[]): Finished[] {
  return ended.flatMap(({ jobId, epoch, status, cancelSeconds }) =>
    epoch === null
      ? []
      : [{ lease: { jobId, epoch }, status, ...(cancelSeconds === null ? {} : { cancelSeconds }) }],
  )
}

function endColumns(end: End): JsonObject {
  switch (end.kind) {
    case 'succeeded':
      return { kind: end.kind, outcome: 'succeeded', result: end.result }
    case 'interrupted':
      return { kind: end.kind, outcome: 'interrupted' }
    case 'snoozed':
      return { kind: end.kind, outcome: 'snoozed', retry_in_seconds: end.seconds }
    case 'cancelled':
      return { kind: end.kind, outcome: 'cancelled' }
    case 'failed':
      return {
        kind: end.kind,
        outcome: end.outcome,
        new_error_code: end.errorCode,
        message: end.message,
        details: end.details ?? null,
        retry: end.retry,
        retry_in_seconds: end.retryInSeconds,
        crashed: end.crashed,
      }
  }
}
