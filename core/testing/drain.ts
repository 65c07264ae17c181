/**
 * Runs what is in a queue to its end, in this process: for tests of programs that enqueue. The queue is the real one, in
 * a real database; only the worker is missing, with its processes and its storage.
 *
 *   await placeOrder(sql, order)
 *   expect(await drain(sql, [sendInvoice])).toMatchObject([{ definitionKey: 'send.invoice', status: 'succeeded' }])
 */
import { backoffSeconds } from '../backoff.ts'
import type { Pool } from '../db.ts'
import { type DefinitionRecord, recordOf } from '../definitions/discover.ts'
import { definitionName, definitionNameOf } from '../definitions/name.ts'
import { registerDefinitions } from '../definitions/register.ts'
import type { JobDefinition } from '../job.ts'
import { admitWaiting } from '../queue/admit.ts'
import { readChildren } from '../queue/children.ts'
import { type ClaimedJob, claim } from '../queue/claim.ts'
import { type End, type Finished, finish, finishWithChildren } from '../queue/finish.ts'
import { stage } from '../queue/stage.ts'
import { type JobRun, runJob } from './run-job.ts'

const leaseSeconds = 3600
const stageLimit = 1000

export interface DrainedJob {
  jobId: string
  definitionKey: string
  attempt: number
  /** What became of the job; `queued` when it runs again or waits. */
  status: Finished['status']
  run: JobRun
}

export interface DrainOptions {
  /** Stops after so many attempts, default 1000: a job that snoozes for ever would never be through. */
  limit?: number
  /** Takes what is delayed or backs off as due. Default false: it stays in the queue. */
  skipWaits?: boolean
}

/** @returns every attempt that was run, in order */
export async function drain(
  sql: Pool,
  definitions: JobDefinition<never, unknown>[] | JobDefinition[],
  { limit = 1000, skipWaits = false }: DrainOptions = {},
): Promise<DrainedJob[]> {
  const loaded = new Map<string, { definition: JobDefinition; record: DefinitionRecord }>()
  for (const definition of definitions as JobDefinition[]) {
    const record = recordOf(definition, { file: 'drain', hooks: { file: null, names: [] } })
    loaded.set(definitionName(record), { definition, record })
  }
  const records = [...loaded.values()].map(({ record }) => record)
  await registerDefinitions(sql, records)
  const drained: DrainedJob[] = []
  while (drained.length < limit) {
    if (skipWaits) await sql`update job_server.jobs set scheduled_at = now() where state = 'scheduled'`
    await stage(sql, { limit: stageLimit })
    await admitWaiting(sql, null)
    const request = { workerId: 'drain', definitions: records, queues: [], limit: 1, leaseSeconds }
    const [job] = await claim(sql, request, { limited: true })
    const code = job && loaded.get(definitionNameOf(job))
    if (job === undefined || code === undefined) break
    drained.push(await perform(sql, job, code.definition, code.record))
  }
  return drained
}

async function perform(
  sql: Pool,
  job: ClaimedJob,
  definition: JobDefinition,
  record: DefinitionRecord,
): Promise<DrainedJob> {
  const { lease, attempt, maxAttempts, checkpoint, childrenSince } = job
  const children =
    childrenSince === null ? {} : { children: await readChildren(sql, lease.jobId, childrenSince) }
  const run = await runJob(definition, job.params, { attempt, maxAttempts, checkpoint, ...children })
  const finished = await end(sql, job, run, record)
  if (finished === undefined || finished === 'lost')
    throw new Error(`job ${lease.jobId} was taken from drain`)
  return { jobId: lease.jobId, definitionKey: definition.key, attempt, status: finished.status, run }
}

async function end(
  sql: Pool,
  { lease, attempt, backoff }: ClaimedJob,
  run: JobRun,
  record: DefinitionRecord,
) {
  const { outcome } = run
  if (outcome.kind === 'waits') {
    return await finishWithChildren(sql, lease, { jobs: outcome.children, onFailure: outcome.onFailure })
  }
  const ended: End =
    outcome.kind === 'failed'
      ? {
          ...outcome,
          outcome: 'threw',
          retryInSeconds:
            outcome.retryInSeconds ?? backoffSeconds(attempt, { ...record.backoff, ...backoff }),
          crashed: false,
        }
      : outcome
  const { finished } = await finish(sql, [{ lease, end: ended }])
  return finished[0]
}
