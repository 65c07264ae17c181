/** What is asked for, with all that the definition and the parent say where it says nothing: the row of a job to be. */
import { createHash } from 'node:crypto'
import { checkParams } from '../definitions/check-params.ts'
import { requireAlone } from '../definitions/children-only.ts'
import { definitionName } from '../definitions/name.ts'
import type { RegisteredDefinition } from '../definitions/read.ts'
import {
  DefinitionNotFound,
  IdempotencyConflict,
  InvalidParams,
  InvalidWebhook,
  OnlyAsChild,
} from '../errors.ts'
import { newId } from '../ids.ts'
import { isStorable, type Json } from '../json.ts'
import { isWebUrl } from '../outside-url.ts'
import { ownersNamedIn } from '../storage/keys.ts'
import type { TraceHeaders } from '../trace/context.ts'
import type { EnqueueInput, ParentJob } from './enqueue.ts'
import { problemOfKey } from './own-keys.ts'

/** A job as `insertJobs` writes it. */
export type EnqueueRow = ReturnType<typeof rowOf>

interface RowOptions {
  parent?: ParentJob
  /** Whether it is we who enqueue. */
  internal?: boolean
  trace: TraceHeaders | null
}

/**
 * In their order. Where there are several, and always where a parent has them, an error says which of them is meant:
 * `jobs.2.params.name`.
 * @throws DefinitionNotFound, OnlyAsChild, InvalidParams, InvalidWebhook
 */
export function rowsOf(
  inputs: EnqueueInput[],
  definitions: Map<string, RegisteredDefinition>,
  options: RowOptions,
): EnqueueRow[] {
  const isOneOfMany = inputs.length > 1 || options.parent !== undefined
  return inputs.map((input, place) => {
    try {
      return rowOf(input, definitions, options)
    } catch (error) {
      throw isOneOfMany ? withPlace(error, `jobs.${place}`, input) : error
    }
  })
}

function withPlace(error: unknown, place: string, { definitionKey }: EnqueueInput): unknown {
  if (error instanceof DefinitionNotFound) return new DefinitionOfManyNotFound(error.definition, place)
  if (error instanceof OnlyAsChild) return new OneOfManyOnlyAsChild(definitionKey, place)
  if (!(error instanceof InvalidParams || error instanceof InvalidWebhook)) return error
  const issues = error.issues.map(({ path, message }) => ({ path: `${place}.${path}`, message }))
  return error instanceof InvalidParams
    ? new InvalidParams(definitionKey, issues)
    : new InvalidWebhook(issues)
}

class DefinitionOfManyNotFound extends DefinitionNotFound {
  constructor(definition: DefinitionNotFound['definition'], place: string) {
    super(definition)
    this.message = `${place}.definitionKey: ${this.message}`
  }
}

class OneOfManyOnlyAsChild extends OnlyAsChild {
  constructor(definitionKey: string, place: string) {
    super(definitionKey)
    this.message = `${place}.definitionKey: ${this.message}`
  }
}

function rowOf(
  input: EnqueueInput,
  definitions: Map<string, RegisteredDefinition>,
  { parent, internal = false, trace }: RowOptions,
) {
  const { definitionKey: key, definitionVersion: version = 1, params = {} } = input
  const definition = definitions.get(definitionName({ key, version }))
  if (definition === undefined) throw new DefinitionNotFound({ key, version })
  if (parent === undefined) requireAlone(key)
  const { metadata = {} } = input
  for (const [path, value] of Object.entries({ params, metadata })) {
    if (isStorable(value)) continue
    const message = 'Text with NUL characters or lone surrogates can not be stored.'
    throw new InvalidParams(key, [{ path, message }])
  }
  const keyProblem = internal ? null : problemOfKey(input.concurrencyKey ?? '')
  if (keyProblem !== null) throw new InvalidParams(key, [{ path: 'concurrencyKey', message: keyProblem }])
  checkParams(definition, params)
  if (input.webhookUrl !== undefined && !isWebUrl(input.webhookUrl)) {
    throw new InvalidWebhook([{ path: 'webhookUrl', message: 'expected an http:// or https:// URL' }])
  }
  const unique = input.idempotencyKey === undefined && input.uniqueForSeconds !== undefined
  const paramsHash = unique || input.idempotencyKey !== undefined ? hashOf(params) : null
  return {
    id: newId(),
    definition_key: key,
    definition_version: version,
    definition_stamp: definition.stamp,
    queue: input.queue ?? queueOf(definition, parent),
    priority: input.priority ?? parent?.priority ?? 0,
    max_attempts: input.maxAttempts ?? definition.defaultMaxAttempts,
    timeout_seconds: input.timeoutSeconds ?? definition.timeoutSeconds,
    backoff: input.backoff === undefined ? null : { ...input.backoff },
    key_kind: unique ? 'unique' : 'client',
    key: unique && paramsHash !== null ? uniqueKeyOf(version, paramsHash) : (input.idempotencyKey ?? null),
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
    owners: ownersNamedIn(JSON.stringify(params)),
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

/** Inputs of one batch that repeat a key: the statement may meet each key once. @throws IdempotencyConflict */
export function withoutRepeats(rows: EnqueueRow[]): {
  first: EnqueueRow[]
  sameAs: Map<EnqueueRow, EnqueueRow>
} {
  const byKey = new Map<string, EnqueueRow>()
  const sameAs = new Map<EnqueueRow, EnqueueRow>()
  const first = rows.filter((row, place) => {
    if (row.key === null) return true
    const name = JSON.stringify([row.definition_key, row.key_kind, row.key])
    const earlier = byKey.get(name)
    if (earlier === undefined) {
      byKey.set(name, row)
      return true
    }
    if (earlier.params_hash !== row.params_hash) {
      const earlierPlace = `jobs.${rows.indexOf(earlier)}`
      throw new IdempotencyConflict({ key: row.key, place: `jobs.${place}`, earlierPlace })
    }
    sameAs.set(row, earlier)
    return false
  })
  return { first, sameAs }
}

/** By which `uniqueForSeconds` finds the job. */
export function uniqueKeyOf(version: number, paramsHash: string): string {
  return `${version}:${paramsHash}`
}

/** Equal parameters hash alike whatever the order of their keys. */
export function hashOf(params: Json): string {
  return createHash('sha256').update(JSON.stringify(params, sortKeys)).digest('hex')
}

function sortKeys(_key: string, value: Json): Json {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
}
