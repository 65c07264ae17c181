/** Redrives dead letters: each becomes a new job with the parameters and limits of the old. */
import { plannedAnew, type Sql } from '../db.ts'
import { neverRedriven, requireAlone } from '../definitions/children-only.ts'
import { DefinitionNotFound } from '../errors.ts'
import { newId } from '../ids.ts'
import type { JobStatus } from '../job-state.ts'
import { makeLanes } from '../queue/lanes.ts'
import { statusesWhileKnown } from '../queue/read.ts'
import { withSendSpan } from '../queue/send-span.ts'
import { hintWork } from '../queue/wake.ts'
import type { TraceHeaders } from '../trace/context.ts'

export interface Redriven {
  deadLetterId: string
  jobId: string
  /** False when the letter was redriven before and something is left of the job of that time: `jobId` is that job. */
  created: boolean
}

export interface RedriveFilter {
  definitionKey?: string | undefined
  /** Null: those without one. */
  errorCode?: string | null | undefined
}

/** Letters of one statement: locks and memory of a redrive stay small however many are asked for. */
const batch = 1000

/**
 * A letter is redriven once, however often and by however many at once; afresh once its job is gone, removed or past
 * retention, and has left no letter of its own. Unknown ids have no answer, nor have letters of our own: a delivery is
 * sent again from its log, which would not know of it otherwise; nor those of children-only definitions, and of those that
 * were removed: they stay as they are.
 */
export async function redrive(
  sql: Sql,
  deadLetterIds: string[],
  options: { maxAttempts?: number | undefined } = {},
): Promise<Redriven[]> {
  if (deadLetterIds.length === 0) return []
  return await withSendSpan(
    { operation: 'redrive', definitions: [] },
    (trace) => redriveAll(sql, deadLetterIds, options.maxAttempts ?? null, trace),
    ({ jobId }) => jobId,
  )
}

/** @returns null for a letter that `redrive` has no answer for. @throws OnlyAsChild, DefinitionNotFound */
export async function redriveOne(
  sql: Sql,
  deadLetterId: string,
  options: { maxAttempts?: number | undefined } = {},
): Promise<(Redriven & { status: JobStatus }) | null> {
  for (;;) {
    const [redriven] = await redrive(sql, [deadLetterId], options)
    if (redriven === undefined) {
      // dead_letters_pk
      const [letter] = await sql<(LetterDefinition & { isRegistered: boolean })[]>`
        select definition_key, definition_version, ${isRegistered(sql)} as is_registered
        from job_server.dead_letters where id = ${deadLetterId}`
      if (letter === undefined) return null
      requireAlone(letter.definitionKey)
      if (!letter.isRegistered) throw notRegistered(letter)
      return null
    }
    const { created, jobId } = redriven
    const status = created ? 'queued' : (await statusesWhileKnown(sql, [jobId])).get(jobId)
    if (status !== undefined) return { ...redriven, status }
    // It went between the two looks, and the next one redrives the letter afresh.
  }
}

async function redriveAll(
  sql: Sql,
  deadLetterIds: string[],
  maxAttempts: number | null,
  trace: TraceHeaders | null,
): Promise<Redriven[]> {
  const jobIds = deadLetterIds.map(() => newId())
  // dead_letters_pk, job_webhooks_pk, source_uses_job_idx, video_additions_job_idx; the row lock makes two who redrive the
  // same letter take turns, and the second sees the first's. It does not see the first's job, which is younger than its
  // snapshot: only a job that the snapshot knows of can be gone (jobs_pk, job_history_pk, dead_letters_original_job_unique;
  // scalar, as `exists` may be hashed, which reads all history).
  const redriven = await sql<Redriven[]>`
    with gone as materialized (
      select dead_letters.id, redriven_job_id
      from job_server.dead_letters
      where id = any(${deadLetterIds}::uuid[]) and redriven_job_id is not null
        and (select true from job_server.jobs where jobs.id = redriven_job_id) is null
        and (select true from job_server.job_history where job_history.id = redriven_job_id) is null
        and (
          select true from job_server.dead_letters as own where own.original_job_id = dead_letters.redriven_job_id
        ) is null
    ),
    letters as materialized (
      select dead_letters.*, new_job_id
      from unnest(${deadLetterIds}::uuid[], ${jobIds}::uuid[]) as given (id, new_job_id)
      join job_server.dead_letters using (id)
      where definition_key <> all(${neverRedriven}::text[])
      order by id
      for update of dead_letters
    ),
    due as materialized (
      select * from letters
      where redriven_at is null or (id, redriven_job_id) in (select id, redriven_job_id from gone)
    ),
    -- Until we have committed no definition of theirs is removed (definitions_pk).
    fresh as materialized (
      select due.*
      from due
      join job_server.definitions on definitions.key = definition_key and definitions.version = definition_version
      for key share of definitions
    ),
    laned as (${makeLanes(sql, sql`fresh`)}),
    created as (
      insert into job_server.jobs (
        id, definition_key, definition_version, queue, state, priority, max_attempts, timeout_seconds, backoff,
        concurrency_key, concurrency_key_limit, params, tags, metadata, traceparent, tracestate
      )
      select
        new_job_id, definition_key, definition_version, queue,
        case when concurrency_key is null then 'ready' else 'blocked' end,
        priority, coalesce(${maxAttempts}::int, max_attempts), timeout_seconds, backoff,
        concurrency_key, concurrency_key_limit, params, tags, metadata, ${trace?.traceparent ?? null},
        ${trace?.tracestate ?? null}
      from fresh
    ),
    marked as (
      update job_server.dead_letters set redriven_at = now(), redriven_job_id = new_job_id
      from fresh
      where dead_letters.id = fresh.id
    ),
    watched as (
      insert into job_server.job_webhooks (job_id, url)
      select new_job_id, url from fresh join job_server.job_webhooks on job_id = original_job_id
    ),
    used as (
      insert into job_server.source_uses (owner_id, job_id)
      select owner_id, new_job_id from fresh join job_server.source_uses on job_id = original_job_id
    ),
    added as (
      insert into job_server.video_additions (video_id, job_id)
      select video_id, new_job_id from fresh join job_server.video_additions on job_id = original_job_id
    ),
    noted as (
      insert into job_server.events (job_id, event_type, payload)
      select new_job_id, 'queued', jsonb_build_object('redrivenFrom', original_job_id) from fresh
      union all
      select original_job_id, 'redriven', jsonb_build_object('jobId', new_job_id) from fresh
    )
    select
      letters.id as dead_letter_id,
      case when fresh.id is null then letters.redriven_job_id else letters.new_job_id end as job_id,
      fresh.id is not null as created
    from letters left join fresh using (id)
    where fresh.id is not null or letters.id not in (select id from due)`
  hintWork(sql)
  return redriven
}

/**
 * Up to `limit` letters that match and were not redriven yet, oldest first, a batch after the other: what fails half-way
 * leaves whole batches, and the next call goes on behind them. Those of definitions that were removed are passed over.
 * @throws DefinitionNotFound when all that match are such
 */
export async function redriveMatching(
  sql: Sql,
  filter: RedriveFilter,
  options: { limit: number; maxAttempts?: number | undefined },
): Promise<Redriven[]> {
  const { definitionKey, errorCode } = filter
  const matches = sql`
    redriven_at is null and definition_key <> all(${neverRedriven}::text[])
      ${definitionKey === undefined ? sql`` : sql`and definition_key = ${definitionKey}`}
      ${errorCode === undefined ? sql`` : errorCode === null ? sql`and error_code is null` : sql`and error_code = ${errorCode}`}`
  // dead_letters_definition_idx where a definition is named
  const letters = await plannedAnew(sql<{ id: string }[]>`
    select id from job_server.dead_letters
    where ${matches} and ${isRegistered(sql)}
    order by moved_to_dlq_at
    limit ${options.limit}`)
  const ids = letters.map(({ id }) => id)
  if (ids.length === 0) {
    const [passedOver] = await plannedAnew(sql<LetterDefinition[]>`
      select definition_key, definition_version from job_server.dead_letters where ${matches} limit 1`)
    if (passedOver !== undefined) throw notRegistered(passedOver)
  }
  const redriven: Redriven[] = []
  for (let from = 0; from < ids.length; from += batch) {
    redriven.push(...(await redrive(sql, ids.slice(from, from + batch), options)))
  }
  return redriven
}

interface LetterDefinition {
  definitionKey: string
  definitionVersion: number
}

/** Of a row of `dead_letters`. */
function isRegistered(sql: Sql) {
  return sql`(definition_key, definition_version) in (select key, version from job_server.definitions)`
}

function notRegistered({ definitionKey: key, definitionVersion: version }: LetterDefinition) {
  return new DefinitionNotFound({ key, version })
}
