/**
 * Puts a job into the queue: one statement writes the idempotency key, the job and its first event, so a
 * repeated or concurrent request meets the same job and a crash in between leaves nothing half done.
 */
import { createHash } from 'node:crypto'
import type { Sql } from '../db.ts'
import { checkParams } from '../definitions/check-params.ts'
import { readDefinition } from '../definitions/read.ts'
import { DefinitionNotFound, IdempotencyConflict, InvalidParams } from '../errors.ts'
import { newId } from '../ids.ts'
import type { JobStatus } from '../job-state.ts'
import { isStorable, type Json, type JsonObject } from '../json.ts'
import { readJob } from './read.ts'
import { jsonParameter } from './row.ts'
import { hintWork } from './wake.ts'

export interface EnqueueInput {
  definitionKey: string
  definitionVersion?: number
  params?: JsonObject
  /** Higher runs first; default 0. */
  priority?: number
  maxAttempts?: number
  idempotencyKey?: string
  /** Not before this many seconds from now, on the database's clock. */
  delaySeconds?: number
  /** How long the idempotency key meets this job; default one day. */
  idempotencyTtlSeconds?: number
}

export interface Enqueued {
  job: { id: string; status: JobStatus }
  /** False when the idempotency key met an earlier job. */
  created: boolean
}

/** @throws DefinitionNotFound, InvalidParams, IdempotencyConflict */
export async function enqueue(sql: Sql, input: EnqueueInput): Promise<Enqueued> {
  const { definitionKey, definitionVersion = 1, params = {}, idempotencyKey = null, delaySeconds = 0 } = input
  const definition = await readDefinition(sql, definitionKey, definitionVersion)
  if (definition === null) throw new DefinitionNotFound({ key: definitionKey, version: definitionVersion })
  if (!isStorable(params)) {
    const message = 'Text with NUL characters or lone surrogates can not be stored.'
    throw new InvalidParams(definitionKey, [{ path: 'params', message }])
  }
  checkParams(definition, params)
  const id = newId()
  const paramsHash = hashParams(params)
  // jobs_pk and idempotency_keys_pk. `on conflict do update` rather than `do nothing`: it waits for a concurrent
  // request with the same key and gives back the winner's row.
  const [row] = await sql<{ jobId: string | null; paramsHash: Buffer | null; created: boolean }[]>`
    with key_held as (
      insert into job_server.idempotency_keys as held (definition_key, key, job_id, params_hash, expires_at)
      select ${definitionKey}, ${idempotencyKey}, ${id}, ${paramsHash}, now() + make_interval(secs => ${input.idempotencyTtlSeconds ?? 86_400})
      where ${idempotencyKey}::text is not null
      on conflict on constraint idempotency_keys_pk do update set
        job_id = case when held.expires_at <= now() then excluded.job_id else held.job_id end,
        params_hash = case when held.expires_at <= now() then excluded.params_hash else held.params_hash end,
        expires_at = case when held.expires_at <= now() then excluded.expires_at else held.expires_at end
      returning job_id, params_hash
    ),
    created as (
      insert into job_server.jobs (
        id, definition_key, definition_version, queue, state, priority, max_attempts, timeout_seconds,
        idempotency_key, params, scheduled_at
      )
      select
        ${id}, ${definitionKey}, ${definitionVersion}, ${definition.queue},
        case when ${delaySeconds}::float8 > 0 then 'scheduled' else 'ready' end,
        ${input.priority ?? 0}, ${input.maxAttempts ?? definition.defaultMaxAttempts}, ${definition.timeoutSeconds},
        ${idempotencyKey}, ${sql.json(jsonParameter(params))},
        case when ${delaySeconds}::float8 > 0 then now() + make_interval(secs => ${delaySeconds}) end
      where ${idempotencyKey}::text is null or exists (select 1 from key_held where job_id = ${id})
      returning id
    ),
    noted as (
      insert into job_server.events (job_id, event_type)
      select id, 'queued' from created
    )
    select
      (select job_id from key_held) as job_id,
      (select params_hash from key_held) as params_hash,
      exists (select 1 from created) as created`
  if (row?.created) {
    hintWork(sql)
    return { job: { id, status: 'queued' }, created: true }
  }
  if (!row?.jobId) throw new Error('enqueue wrote neither a job nor met one')
  if (idempotencyKey !== null && row.paramsHash !== null && !paramsHash.equals(row.paramsHash)) {
    throw new IdempotencyConflict({ key: idempotencyKey, jobId: row.jobId })
  }
  const earlier = await readJob(sql, row.jobId)
  return { job: { id: row.jobId, status: earlier?.status ?? 'succeeded' }, created: false }
}

/** Equal parameters hash alike whatever the order of their keys. */
function hashParams(params: JsonObject): Buffer {
  return createHash('sha256').update(JSON.stringify(params, sortKeys)).digest()
}

function sortKeys(_key: string, value: Json): Json {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
}
