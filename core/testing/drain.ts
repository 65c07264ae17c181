/**
 * Runs what is in a queue to its end, in this process: for tests of programs that enqueue. The queue is the real one, in
 * a real database; only the worker is missing, with its processes and its storage.
 *
 *   await placeOrder(sql, order)
 *   expect(await drain(sql, [sendInvoice])).toMatchObject([{ definitionKey: 'send.invoice', status: 'succeeded' }])
 *
 * Hooks are not run: that is what workers do beside their jobs.
 *
 * The pool may be the program's own: the queue is read over connections beside it, so what its transactions have not
 * committed is not there yet.
 */
import { backoffSeconds } from '../backoff.ts'
import type { Pool } from '../db.ts'
import { type DefinitionRecord, recordOf } from '../definitions/discover.ts'
import { definitionName, definitionNameOf } from '../definitions/name.ts'
import { registerDefinitions } from '../definitions/register.ts'
import { DomainError, wholeMessage } from '../errors.ts'
import type { JobDefinition } from '../job.ts'
import { childJobs, faultsIn } from '../job-shapes.ts'
import { admitWaiting } from '../queue/admit.ts'
import { readChildren } from '../queue/children.ts'
import { type ClaimedJob, claim } from '../queue/claim.ts'
import { enqueueFromJob } from '../queue/enqueue-from-job.ts'
import { childrenRefused, type End, type Finished, finish, finishWithChildren } from '../queue/finish.ts'
import type { Lease } from '../queue/row.ts'
import { stage } from '../queue/stage.ts'
import { flushHints } from '../queue/wake.ts'
import { poolBeside } from './pool-beside.ts'
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

/**
 * @param sql a postgres.js pool, the caller's own or ours
 * @returns every attempt that was run, in order
 * @throws what kept an attempt from its end, such as a database that is gone; the job is in the queue again then
 */
export async function drain(
  sql: Pool,
  definitions: JobDefinition<never, unknown>[] | JobDefinition[],
  options: DrainOptions = {},
): Promise<DrainedJob[]> {
  const own = poolBeside(sql)
  try {
    return await drainOn(own, definitions as JobDefinition[], options)
  } finally {
    await flushHints(own)
    await own.end()
  }
}

async function drainOn(
  sql: Pool,
  definitions: JobDefinition[],
  { limit = 1000, skipWaits = false }: DrainOptions,
): Promise<DrainedJob[]> {
  const loaded = new Map<string, { definition: JobDefinition; record: DefinitionRecord }>()
  for (const definition of definitions) {
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
    if (job === undefined) break
    try {
      const code = loaded.get(definitionNameOf(job))
      if (code === undefined)
        throw new Error(`drain claimed a job of ${definitionNameOf(job)}, without its code`)
      drained.push(await perform(sql, job, code.definition, code.record))
    } catch (error) {
      // Else it would be nobody's until the lease runs out.
      await finish(sql, [{ lease: job.lease, end: { kind: 'interrupted' } }])
      throw error
    }
  }
  return drained
}

async function perform(
  sql: Pool,
  job: ClaimedJob,
  definition: JobDefinition,
  record: DefinitionRecord,
): Promise<DrainedJob> {
  const { lease, attempt, maxAttempts, checkpoint, childrenSince, backoff } = job
  const children =
    childrenSince === null ? {} : { children: await readChildren(sql, lease.jobId, childrenSince) }
  const run = await runJob(definition, job.params, {
    ...{ jobId: lease.jobId, attempt, maxAttempts, checkpoint, ...children, asksBackoff: backoff === null },
    enqueue: (another) => enqueueFromJob(sql, another),
  })
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
  if (outcome.kind === 'waits') return await wait(sql, lease, outcome)
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
  return await finishOne(sql, lease, ended)
}

async function wait(
  sql: Pool,
  lease: Lease,
  { children, onFailure }: Extract<JobRun['outcome'], { kind: 'waits' }>,
) {
  const asked = childJobs.safeParse(children)
  if (!asked.success) return await finishOne(sql, lease, childrenRefused(faultsIn(asked.error, 'jobs')))
  try {
    return await finishWithChildren(sql, lease, { jobs: asked.data, onFailure })
  } catch (error) {
    if (!(error instanceof DomainError)) throw error
    return await finishOne(sql, lease, childrenRefused(wholeMessage(error)))
  }
}

async function finishOne(sql: Pool, lease: Lease, end: End): Promise<Finished | undefined> {
  const { finished } = await finish(sql, [{ lease, end }])
  return finished[0]
}
