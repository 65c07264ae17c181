/**
 * Puts jobs into the queue: one statement writes the idempotency keys, the jobs and their first events, so a
 * repeated or concurrent request meets the same job and a crash in between leaves nothing half done.
 *
 * It runs on a pool or inside the caller's own transaction. There it takes no lock that running jobs need for
 * their heartbeats, however long the transaction stays open; the jobs are found once it has committed. Such a
 * connection may rename columns in its own way, so what is read here is given its name in quotes.
 */
import type { BackoffPolicy } from '../backoff.ts'
import { endWhenStill, type Pool, type Sql } from '../db.ts'
import { definitionName } from '../definitions/name.ts'
import { type RegisteredDefinition, readDefinitions } from '../definitions/read.ts'
import { DependencyFailed, IdempotencyConflict, InvalidParams, JobNotFound, SourceGone } from '../errors.ts'
import type { EnqueuedJob } from '../job.ts'
import type { JobStatus } from '../job-state.ts'
import type { JsonObject } from '../json.ts'
import { requireTransaction } from '../other-drivers.ts'
import type { TraceHeaders } from '../trace/context.ts'
import { holdOwners } from '../uploads/hold.ts'
import { type EnqueueRow, rowsOf, withoutRepeats } from './enqueue-row.ts'
import { gather } from './gather.ts'
import { insertJobs, StaleDefinitions, type Written } from './insert-jobs.ts'
import { insertTogether } from './insert-together.ts'
import { statusesWhileKnown } from './read.ts'
import { withSendSpan } from './send-span.ts'
import { hintWork, isPool } from './wake.ts'

export interface EnqueueInput {
  definitionKey: string
  /** Default 1. */
  definitionVersion?: number
  params?: JsonObject
  /** Default: the definition's. */
  queue?: string
  /** Higher runs first; default 0. */
  priority?: number
  maxAttempts?: number
  /** Wall-clock limit of an attempt. */
  timeoutSeconds?: number
  /** On top of the definition's policy. */
  backoff?: Partial<BackoffPolicy>
  /** A second request with the same key and definition meets this job. */
  idempotencyKey?: string
  /** How long the idempotency key meets this job; default one day. */
  idempotencyTtlSeconds?: number
  /** For so long, another request with the same definition and parameters meets this job. */
  uniqueForSeconds?: number
  /** Not before this many seconds from now, on the database's clock. */
  delaySeconds?: number
  /** Not before this time. */
  scheduledAt?: Date
  /** Of the jobs that share a key at most the limit run at once, and keys take turns. */
  concurrencyKey?: string
  /** Default: the definition's limit for keys, 1 unless it says otherwise. */
  concurrencyKeyLimit?: number
  /** Jobs that must succeed before this one may run; it is cancelled when one of them doesn't. */
  dependsOn?: string[]
  /** To find the job by. */
  tags?: string[]
  /** Kept with the job for whoever reads it. */
  metadata?: JsonObject
  /** Told of the job's end, signed by WEBHOOK_SECRET. */
  webhookUrl?: string
  /** The trace that the job belongs to, as W3C Trace Context has it; default: that of who enqueues, if any. */
  trace?: TraceHeaders
}

export interface Enqueued {
  job: { id: string; status: JobStatus }
  /** False when an idempotency key or `uniqueForSeconds` met an earlier job. */
  created: boolean
}

/**
 * @throws DefinitionNotFound, OnlyAsChild, InvalidParams, InvalidWebhook, IdempotencyConflict, JobNotFound and DependencyFailed for
 *   `dependsOn`, SourceGone when the parameters name an upload that is no longer kept; on a pool what `isInUse` knows, when
 *   a transaction that is open has enqueued under the same key or as the first of the same lane, and goes on for seconds
 */
export async function enqueue(sql: Sql, input: EnqueueInput): Promise<Enqueued> {
  const [enqueued] = await enqueueMany(sql, [input])
  if (enqueued === undefined) throw new Error('enqueue gave no answer')
  return enqueued
}

/** As jobs ask for it by `context.enqueue`. @throws as `enqueue` */
export async function enqueueAnother(
  sql: Sql,
  { uniqueFor, ...input }: EnqueuedJob,
): Promise<{ jobId: string; created: boolean }> {
  const { job, created } = await enqueue(sql, { ...input, uniqueForSeconds: uniqueFor })
  return { jobId: job.id, created }
}

/** What children have of it where nothing else is said. */
export interface ParentJob {
  id: string
  queue: string
  priority: number
  tags: string[]
}

/**
 * All or nothing.
 * @param options.internal whether definitions and concurrency keys of our own may be named
 * @returns one answer for each input, in order
 * @throws as `enqueue`; what is wrong with one of several is told with its place, as `jobs.2.params.name`
 */
export async function enqueueMany(
  sql: Sql,
  inputs: EnqueueInput[],
  options: { parent?: ParentJob; internal?: boolean } = {},
): Promise<Enqueued[]> {
  if (inputs.length === 0) return []
  const send = (trace: TraceHeaders | null) => enqueueAll(sql, inputs, { ...options, trace })
  // What belongs to traces of its own is no part of ours.
  if (inputs.every(({ trace }) => trace !== undefined)) return await send(null)
  return await withSendSpan(
    {
      operation: 'enqueue',
      definitions: inputs.map(({ definitionKey }) => definitionKey),
      queue: inputs.length === 1 ? inputs[0]?.queue : undefined,
    },
    send,
    ({ job }) => job.id,
  )
}

type Definitions = Map<string, RegisteredDefinition>

interface EnqueueOptions {
  parent?: ParentJob
  internal?: boolean
  trace: TraceHeaders | null
}

/**
 * After definitions as they were read some time ago, if they were: the statement that writes looks whether they still are
 * so, and what they do not allow may be allowed by now.
 */
async function enqueueAll(sql: Sql, inputs: EnqueueInput[], options: EnqueueOptions): Promise<Enqueued[]> {
  const keeper = isPool(sql) && !options.internal ? together(sql) : undefined
  let kept = keeper?.kept(inputs)
  for (;;) {
    const definitions =
      kept ?? (await (keeper?.readDefinitions(inputs) ?? readDefinitions(sql, inputs, options)))
    try {
      return await enqueueAs(sql, inputs, definitions, options)
    } catch (error) {
      const isOutdated =
        error instanceof StaleDefinitions || (kept !== undefined && error instanceof InvalidParams)
      if (!isOutdated) throw error
      kept = undefined
    }
  }
}

/** @throws StaleDefinitions when they are not what they were */
async function enqueueAs(
  sql: Sql,
  inputs: EnqueueInput[],
  definitions: Definitions,
  options: EnqueueOptions,
): Promise<Enqueued[]> {
  const rows = rowsOf(inputs, definitions, options)
  const { first, sameAs } = withoutRepeats(rows)
  const written = await write(sql, first)
  hintWork(sql)
  const met = first.flatMap(({ id }) => {
    const job = written.get(id)
    return job === undefined || job.jobId === id || job.otherParams ? [] : job.jobId
  })
  const statuses = await statusesWhileKnown(sql, met)
  const answers = new Map<EnqueueRow, Enqueued>()
  for (const row of first) {
    const job = written.get(row.id)
    if (job === undefined) throw new Error('enqueue wrote neither a job nor met one')
    if (job.otherParams) throw new IdempotencyConflict({ key: row.key ?? '', jobId: job.jobId })
    const created = job.jobId === row.id
    // One that was met and is in no table any more had finished, and long ago.
    const status = created ? 'queued' : (statuses.get(job.jobId) ?? 'succeeded')
    answers.set(row, { job: { id: job.jobId, status }, created })
  }
  return rows.map((row) => {
    const answer = answers.get(row)
    if (answer !== undefined) return answer
    const earlier = answers.get(sameAs.get(row) ?? row)
    if (earlier === undefined) throw new Error('a repeated input has no first one')
    return { ...earlier, created: false }
  })
}

/** What callers of one pool have in common: definitions, and what single ones do at once. */
function together(sql: Pool): Together {
  const known = togetherOf.get(sql)
  if (known !== undefined) return known
  const definitions: Definitions = new Map()
  const calls: Together = {
    kept: (inputs) =>
      inputs.every(({ definitionKey: key, definitionVersion: version = 1 }) =>
        definitions.has(definitionName({ key, version })),
      )
        ? definitions
        : undefined,
    readDefinitions: gather(async (inputs: EnqueueInput[][]) => {
      const read = await readDefinitions(sql, inputs.flat())
      for (const { definitionKey: key, definitionVersion: version = 1 } of inputs.flat()) {
        const name = definitionName({ key, version })
        const definition = read.get(name)
        // One that was removed would make stale what is written together with jobs of it.
        if (definition === undefined) definitions.delete(name)
        else definitions.set(name, definition)
      }
      return read
    }),
    insert: insertTogether(sql),
  }
  togetherOf.set(sql, calls)
  return calls
}

interface Together {
  /** Undefined when some were never read. None of our own are among them: who enqueues here may not name those. */
  kept(inputs: EnqueueInput[]): Definitions | undefined
  readDefinitions(inputs: EnqueueInput[]): Promise<Definitions>
  insert(row: EnqueueRow): Promise<Written>
}
const togetherOf = new WeakMap<Pool, Together>()

/** A conflict must undo the rest of a batch; dependencies and sources need a statement before the one that writes. */
async function write(sql: Sql, rows: EnqueueRow[]): Promise<Written> {
  const dependencies = [...new Set(rows.flatMap(({ depends_on }) => depends_on))]
  const owners = [...new Set(rows.flatMap((row) => row.owners))]
  const needsTransaction =
    dependencies.length > 0 || owners.length > 0 || (rows.length > 1 && rows.some(({ key }) => key !== null))
  if (!needsTransaction) {
    const [only] = rows
    const alone = rows.length !== 1 || only === undefined || only.key !== null || !isPool(sql)
    return alone ? await insertJobs(sql, rows) : await together(sql).insert(only)
  }
  const run = async (tx: Sql) => {
    const faults = await faultsOf(tx, dependencies, { hold: isPool(sql) })
    const requireDependencies = (row: EnqueueRow) => {
      const fault = row.depends_on.map((id) => faults.get(id)).find((each) => each !== undefined)
      if (fault !== undefined) throw fault
    }
    // Those with a key may meet an earlier job. For the others nothing is written: in the caller's transaction it would stay.
    for (const row of rows) if (row.key === null) requireDependencies(row)
    const gone = await holdOwners(tx, owners)
    const written = await insertJobs(tx, rows, { briefly: isPool(sql) })
    for (const row of rows) {
      const job = written.get(row.id)
      if (job?.otherParams) throw new IdempotencyConflict({ key: row.key ?? '', jobId: job.jobId })
      // One that met an earlier job has nothing to read or to wait for any more.
      if (job?.jobId !== row.id) continue
      requireDependencies(row)
      const missing = row.owners.find((owner) => gone.has(owner))
      if (missing !== undefined) throw new SourceGone(`Upload ${missing}`)
    }
    return written
  }
  if (!isPool(sql)) {
    await requireTransaction(sql)
    return await run(sql)
  }
  return await sql.begin(async (tx) => {
    // Who is paused in the middle keeps the rows of dependencies, for whose ends a whole worker waits.
    await tx`select ${endWhenStill(tx)}`
    return await run(tx)
  })
}

/**
 * @param options.hold makes the ends of live dependencies wait until we have committed, so that they find the jobs that
 *   wait for them. Not in a caller's transaction: that may stay open for long, and with those ends everything would wait
 *   that their worker has to write. What ends meanwhile is found by upkeep (`sweep`).
 * @returns why some can't be waited for
 */
async function faultsOf(
  tx: Sql,
  ids: string[],
  { hold }: { hold: boolean },
): Promise<Map<string, JobNotFound | DependencyFailed>> {
  const faults = new Map<string, JobNotFound | DependencyFailed>()
  if (ids.length === 0) return faults
  const live = await tx<{ id: string }[]>`
    select id from job_server.jobs where id = any(${ids}::uuid[]) order by id ${hold ? tx`for key share` : tx``}`
  const liveIds = new Set(live.map(({ id }) => id))
  const ended = ids.filter((id) => !liveIds.has(id))
  // A statement of its own: it sees what ended while the one above waited.
  const statuses = await tx<{ id: string; status: JobStatus }[]>`
    select id, status from job_server.job_history where id = any(${ended}::uuid[])`
  for (const id of ended) {
    const status = statuses.find((row) => row.id === id)?.status
    if (status === undefined) faults.set(id, new JobNotFound(id))
    else if (status !== 'succeeded') faults.set(id, new DependencyFailed(id, status))
  }
  return faults
}
