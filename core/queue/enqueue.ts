/**
 * Puts jobs into the queue: one statement writes the idempotency keys, the jobs and their first events, so a
 * repeated or concurrent request meets the same job and a crash in between leaves nothing half done.
 *
 * It runs on a pool or inside the caller's own transaction. There it takes no lock that running jobs need for
 * their heartbeats, however long the transaction stays open; the jobs are found once it has committed. Such a
 * connection may rename columns in its own way, so what is read here is given its name in quotes.
 */
import { createHash } from 'node:crypto'
import type { BackoffPolicy } from '../backoff.ts'
import { isFaultOfData, type Pool, type Sql } from '../db.ts'
import { checkParams } from '../definitions/check-params.ts'
import { type RegisteredDefinition, readDefinitions } from '../definitions/read.ts'
import {
  DefinitionNotFound,
  DependencyFailed,
  IdempotencyConflict,
  InvalidParams,
  InvalidWebhook,
  JobNotFound,
  SourceGone,
} from '../errors.ts'
import { newId } from '../ids.ts'
import type { JobStatus } from '../job-state.ts'
import { isStorable, type Json, type JsonObject } from '../json.ts'
import { isWebUrl } from '../outside-url.ts'
import { ownersNamedIn } from '../storage/keys.ts'
import type { TraceHeaders } from '../trace/context.ts'
import { holdOwners } from '../uploads/hold.ts'
import { gather } from './gather.ts'
import { statusOf } from './read.ts'
import { jsonParameter } from './row.ts'
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
 * @throws DefinitionNotFound, InvalidParams, InvalidWebhook, IdempotencyConflict, JobNotFound and DependencyFailed for
 *   `dependsOn`, SourceGone when the parameters name an upload that is no longer kept
 */
export async function enqueue(sql: Sql, input: EnqueueInput): Promise<Enqueued> {
  const [enqueued] = await enqueueMany(sql, [input])
  if (enqueued === undefined) throw new Error('enqueue gave no answer')
  return enqueued
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
 * @param options.internal whether definitions of our own may be named
 * @returns one answer for each input, in order
 * @throws as `enqueue`
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

async function enqueueAll(
  sql: Sql,
  inputs: EnqueueInput[],
  options: { parent?: ParentJob; internal?: boolean; trace: TraceHeaders | null },
): Promise<Enqueued[]> {
  const definitions =
    options.internal || !isPool(sql)
      ? await readDefinitions(sql, inputs, options)
      : await together(sql).readDefinitions(inputs)
  const rows = inputs.map((input) => rowOf(input, definitions, options))
  const { first, sameAs } = withoutRepeats(rows)
  const written = await write(sql, first)
  hintWork(sql)
  const answers = new Map<Row, Enqueued>()
  for (const row of first) {
    const job = written.get(row.id)
    if (job === undefined) throw new Error('enqueue wrote neither a job nor met one')
    if (job.otherParams) throw new IdempotencyConflict({ key: row.key ?? '', jobId: job.jobId })
    const created = job.jobId === row.id
    const status = created ? 'queued' : await statusOf(sql, job.jobId)
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

type Row = ReturnType<typeof rowOf>

function rowOf(
  input: EnqueueInput,
  definitions: Map<string, RegisteredDefinition>,
  { parent, trace }: { parent?: ParentJob; trace: TraceHeaders | null },
) {
  const { definitionKey: key, definitionVersion: version = 1, params = {} } = input
  const definition = definitions.get(`${key}@${version}`)
  if (definition === undefined) throw new DefinitionNotFound({ key, version })
  const { metadata = {} } = input
  for (const [path, value] of Object.entries({ params, metadata })) {
    if (isStorable(value)) continue
    const message = 'Text with NUL characters or lone surrogates can not be stored.'
    throw new InvalidParams(key, [{ path, message }])
  }
  checkParams(definition, params)
  if (input.webhookUrl !== undefined && !isWebUrl(input.webhookUrl)) {
    throw new InvalidWebhook([{ path: 'webhookUrl', message: 'expected an http:// or https:// URL' }])
  }
  const paramsText = JSON.stringify(params, sortKeys)
  const paramsHash = createHash('sha256').update(paramsText).digest('hex')
  const unique = input.idempotencyKey === undefined && input.uniqueForSeconds !== undefined
  return {
    id: newId(),
    definition_key: key,
    definition_version: version,
    queue: input.queue ?? queueOf(definition, parent),
    priority: input.priority ?? parent?.priority ?? 0,
    max_attempts: input.maxAttempts ?? definition.defaultMaxAttempts,
    timeout_seconds: input.timeoutSeconds ?? definition.timeoutSeconds,
    backoff: input.backoff === undefined ? null : { ...input.backoff },
    key_kind: unique ? 'unique' : 'client',
    key: unique ? `${version}:${paramsHash}` : (input.idempotencyKey ?? null),
    key_seconds: (unique ? input.uniqueForSeconds : input.idempotencyTtlSeconds) ?? 86_400,
    params_hash: paramsHash,
    params,
    delay_seconds: input.delaySeconds ?? 0,
    scheduled_at: input.scheduledAt?.toISOString() ?? null,
    concurrency_key: input.concurrencyKey ?? null,
    concurrency_key_limit:
      input.concurrencyKey === undefined
        ? null
        : (input.concurrencyKeyLimit ?? definition.keyConcurrencyLimit),
    depends_on: [...new Set(input.dependsOn ?? [])],
    owners: ownersNamedIn(paramsText),
    parent_id: parent?.id ?? null,
    tags: [...new Set([...(parent?.tags ?? []), ...(input.tags ?? [])])],
    metadata,
    webhook_url: input.webhookUrl ?? null,
    traceparent: (input.trace ?? trace)?.traceparent ?? null,
    tracestate: (input.trace ?? trace)?.tracestate ?? null,
  }
}

/** A child stands where its parent does, unless its definition names a queue. */
function queueOf({ queue }: RegisteredDefinition, parent: ParentJob | undefined): string {
  return queue === 'default' && parent !== undefined ? parent.queue : queue
}

/** Inputs of one batch that repeat a key: the statement may meet each key once. */
function withoutRepeats(rows: Row[]): { first: Row[]; sameAs: Map<Row, Row> } {
  const byKey = new Map<string, Row>()
  const sameAs = new Map<Row, Row>()
  const first = rows.filter((row) => {
    if (row.key === null) return true
    const name = JSON.stringify([row.definition_key, row.key_kind, row.key])
    const earlier = byKey.get(name)
    if (earlier === undefined) {
      byKey.set(name, row)
      return true
    }
    if (earlier.params_hash !== row.params_hash) {
      throw new IdempotencyConflict({ key: row.key, jobId: earlier.id })
    }
    sameAs.set(row, earlier)
    return false
  })
  return { first, sameAs }
}

type Written = Map<string, { jobId: string; otherParams: boolean }>

/** What single callers of one pool do at once. */
function together(sql: Pool): Together {
  const known = togetherOf.get(sql)
  if (known !== undefined) return known
  const calls = {
    readDefinitions: gather((inputs: EnqueueInput[][]) => readDefinitions(sql, inputs.flat())),
    insert: gather((rows: Row[]) => insert(sql, rows)),
  }
  togetherOf.set(sql, calls)
  return calls
}

interface Together {
  readDefinitions(inputs: EnqueueInput[]): Promise<Map<string, RegisteredDefinition>>
  insert(row: Row): Promise<Written>
}
const togetherOf = new WeakMap<Pool, Together>()

/** A job that waits for nothing that others hold, so that it keeps none of those waiting that go with it. */
async function insertWithOthers(sql: Pool, row: Row): Promise<Written> {
  try {
    return await together(sql).insert(row)
  } catch (error) {
    if (!isFaultOfData(error)) throw error
    // One of them could not be written, so none was. Each on its own gets its own error, or none.
    return await insert(sql, [row])
  }
}

/** A conflict must undo the rest of a batch; dependencies and sources need a statement before the one that writes. */
async function write(sql: Sql, rows: Row[]): Promise<Written> {
  const dependencies = [...new Set(rows.flatMap(({ depends_on }) => depends_on))]
  const owners = [...new Set(rows.flatMap((row) => row.owners))]
  const needsTransaction =
    dependencies.length > 0 || owners.length > 0 || (rows.length > 1 && rows.some(({ key }) => key !== null))
  if (!needsTransaction) {
    const [only] = rows
    const alone = rows.length !== 1 || only === undefined || only.key !== null || !isPool(sql)
    return alone ? await insert(sql, rows) : await insertWithOthers(sql, only)
  }
  const run = async (tx: Sql) => {
    await holdDependencies(tx, dependencies)
    const gone = await holdOwners(tx, owners)
    const written = await insert(tx, rows)
    for (const row of rows) {
      const job = written.get(row.id)
      if (job?.otherParams) throw new IdempotencyConflict({ key: row.key ?? '', jobId: job.jobId })
      const missing = row.owners.find((owner) => gone.has(owner))
      // One that met an earlier job has nothing to read any more.
      if (missing !== undefined && job?.jobId === row.id) throw new SourceGone(`Upload ${missing}`)
    }
    return written
  }
  return isPool(sql) ? await sql.begin(run) : await run(sql)
}

/**
 * Makes the ends of live dependencies wait until we have committed, so that they find the jobs that wait for them.
 * `for key share` lets heartbeats and other updates pass; it only stands in the way of the row's removal.
 * @throws JobNotFound, DependencyFailed
 */
async function holdDependencies(tx: Sql, ids: string[]): Promise<void> {
  if (ids.length === 0) return
  const live = await tx<{ id: string }[]>`
    select id from job_server.jobs where id = any(${ids}::uuid[]) order by id for key share`
  const liveIds = new Set(live.map(({ id }) => id))
  const ended = ids.filter((id) => !liveIds.has(id))
  // A statement of its own: it sees what ended while the one above waited.
  const statuses = await tx<{ id: string; status: JobStatus }[]>`
    select id, status from job_server.job_history where id = any(${ended}::uuid[])`
  for (const id of ended) {
    const status = statuses.find((row) => row.id === id)?.status
    if (status === undefined) throw new JobNotFound(id)
    if (status !== 'succeeded') throw new DependencyFailed(id, status)
  }
}

async function insert(sql: Sql, rows: Row[]): Promise<Written> {
  // Parts stand in the statement only where they are wanted: their planning is not free.
  const keyed = rows.some(({ key }) => key !== null)
  const depends = rows.some(({ depends_on }) => depends_on.length > 0)
  // jobs_pk and idempotency_keys_pk.
  const written = await sql<{ id: string; jobId: string; otherParams: boolean }[]>`
    with given as materialized (
      select * from jsonb_to_recordset(${sql.json(jsonParameter(rows))}) as given (
        id uuid, definition_key text, definition_version int, queue text, priority int, max_attempts int,
        timeout_seconds float8, backoff jsonb, key_kind text, key text, key_seconds float8, params_hash text,
        params jsonb, delay_seconds float8, scheduled_at timestamptz, concurrency_key text,
        concurrency_key_limit int, depends_on uuid[], owners uuid[], parent_id uuid, tags text[], metadata jsonb, webhook_url text,
        traceparent text, tracestate text
      )
    ),
    ${keyed ? holdKeys(sql) : sql``}
    met as materialized (
      select
        given.*,
        ${keyed ? sql`coalesce(key_held.job_id, given.id)` : sql`given.id`} as job_id,
        ${keyed ? sql`coalesce(key_held.params_hash <> decode(given.params_hash, 'hex'), false)` : sql`false`} as other_params,
        greatest(given.scheduled_at, case when delay_seconds > 0 then now() + make_interval(secs => delay_seconds) end) as due_at,
        ${depends ? sql`exists (select from unnest(given.depends_on) as dependency (id) join job_server.jobs using (id))` : sql`false`} as waits
      from given
      ${
        keyed
          ? sql`
              left join key_held
                on key_held.definition_key = given.definition_key and key_held.kind = given.key_kind and key_held.key = given.key`
          : sql``
      }
    ),
    laned as (
      insert into job_server.lanes (queue, definition_key, definition_version)
      select distinct queue, definition_key, definition_version from met
      where job_id = id and not exists (
        select from job_server.lanes
        where lanes.queue = met.queue and lanes.definition_key = met.definition_key
          and lanes.definition_version = met.definition_version
      )
      on conflict do nothing
    ),
    created as (
      insert into job_server.jobs (
        id, definition_key, definition_version, queue, state, priority, turn_at, max_attempts, timeout_seconds, backoff,
        idempotency_key, concurrency_key, concurrency_key_limit, parent_id, params, scheduled_at, tags, metadata,
        traceparent, tracestate
      )
      select
        id, definition_key, definition_version, queue,
        case
          when waits then 'waiting'
          when due_at > now() then 'scheduled'
          when concurrency_key is not null then 'blocked'
          else 'ready'
        end,
        priority, greatest(due_at, now()), max_attempts, timeout_seconds, backoff,
        case when key_kind = 'client' then key end, concurrency_key, concurrency_key_limit, parent_id, params,
        case when due_at > now() then due_at end, tags, metadata, traceparent, tracestate
      from met
      where job_id = id
      order by id
      returning id
    ),
    ${depends ? noteDependencies(sql) : sql``}
    ${rows.some((row) => row.webhook_url !== null) ? watchEnds(sql) : sql``}
    ${rows.some((row) => row.owners.length > 0) ? noteUses(sql) : sql``}
    noted as (
      insert into job_server.events (job_id, event_type)
      select id, 'queued' from created order by id
    )
    select id, job_id as "jobId", other_params as "otherParams" from met`
  return new Map(written.map(({ id, ...job }) => [id, job]))
}

/**
 * `on conflict do update` rather than `do nothing`: it waits for a concurrent request with the same key and gives back
 * the winner's row.
 */
function holdKeys(sql: Sql) {
  return sql`
    key_held as (
      insert into job_server.idempotency_keys as held (definition_key, kind, key, job_id, params_hash, expires_at)
      select definition_key, key_kind, key, id, decode(params_hash, 'hex'), now() + make_interval(secs => key_seconds)
      from given
      where key is not null
      order by definition_key, key_kind, key
      on conflict on constraint idempotency_keys_pk do update set
        job_id = case when held.expires_at <= now() then excluded.job_id else held.job_id end,
        params_hash = case when held.expires_at <= now() then excluded.params_hash else held.params_hash end,
        expires_at = case when held.expires_at <= now() then excluded.expires_at else held.expires_at end
      returning definition_key, kind, key, job_id, params_hash
    ),`
}

function noteDependencies(sql: Sql) {
  return sql`
    depending as (
      insert into job_server.job_dependencies (job_id, depends_on)
      select met.id, unnest(met.depends_on) from met where met.job_id = met.id and waits
    ),`
}

function watchEnds(sql: Sql) {
  return sql`
    watched as (
      insert into job_server.job_webhooks (job_id, url)
      select id, webhook_url from met where job_id = id and webhook_url is not null
    ),`
}

function noteUses(sql: Sql) {
  return sql`
    used as (
      insert into job_server.source_uses (owner_id, job_id)
      select unnest(owners), id from met where job_id = id
    ),`
}

/** Equal parameters hash alike whatever the order of their keys. */
function sortKeys(_key: string, value: Json): Json {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
}
