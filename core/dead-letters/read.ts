/** Reads dead letters: jobs that failed for good. */
import { plannedAnew, readBounded, type Sql } from '../db.ts'
import { neverRedriven } from '../definitions/children-only.ts'
import { internalDefinitions } from '../definitions/internal.ts'
import type { JsonObject } from '../json.ts'

interface DeadLetterView {
  dlqJobId: string
  originalJobId: string
  definitionKey: string
  definitionVersion: number
  priority: number
  attempts: number
  maxAttempts: number
  queuedAt: Date
  startedAt: Date | null
  finishedAt: Date
  errorCode: string | null
  errorSummary: string | null
  movedToDlqAt: Date
  redrivenAt: Date | null
  redrivenJobId: string | null
}

export interface DeadLetter extends DeadLetterView {
  params: JsonObject
  idempotencyKey: string | null
  /** What is known of a crash. */
  details: JsonObject | null
}

export interface DeadLetterFilter {
  definitionKey?: string | undefined
  errorCode?: string | undefined
  redriven?: boolean | undefined
}

interface DeadLetterPage {
  jobs: DeadLetterView[]
  /** How many match in all; null when it was not asked for. */
  total: number | null
}

interface PageRequest {
  limit: number
  offset: number
  total: boolean
}

/**
 * One page, newest first. Only where their definition is named has it those of our own, and, among those that nobody has
 * redriven yet, those that nobody could.
 * @param page.total whether to count all that match, which costs more the more there are
 * @throws ReadTooLong
 */
export async function listDeadLetters(
  sql: Sql,
  filter: DeadLetterFilter,
  page: PageRequest,
): Promise<DeadLetterPage> {
  return await readBounded(sql, (tx) => readPage(tx, filter, page))
}

async function readPage(
  sql: Sql,
  { definitionKey, errorCode, redriven }: DeadLetterFilter,
  { limit, offset, total }: PageRequest,
): Promise<DeadLetterPage> {
  const leftOut = redriven === false ? neverRedriven : internalDefinitions
  const matching = sql`
    ${definitionKey === undefined ? sql`definition_key <> all(${leftOut}::text[])` : sql`definition_key = ${definitionKey}`}
    ${errorCode === undefined ? sql`` : sql`and error_code = ${errorCode}`}
    ${redriven === undefined ? sql`` : redriven ? sql`and redriven_at is not null` : sql`and redriven_at is null`}`
  const [jobs, [count]] = await Promise.all([
    // dead_letters_definition_idx or dead_letters_moved_idx
    plannedAnew(sql<DeadLetterView[]>`
      select ${viewColumns(sql)} from job_server.dead_letters
      where ${matching}
      order by moved_to_dlq_at desc, id desc
      limit ${limit} offset ${offset}`),
    total
      ? plannedAnew(sql<{ total: number }[]>`
          select count(*)::float8 as total from job_server.dead_letters where ${matching}`)
      : [],
  ])
  return { jobs, total: count?.total ?? null }
}

export interface DeadLetterGroup {
  definitionKey: string
  errorCode: string | null
  count: number
  firstAt: Date
  lastAt: Date
  /** Of the newest of them. */
  errorSummary: string | null
}

/** Those that nobody has redriven yet and somebody could, by definition and error; the largest groups first. */
export async function groupDeadLetters(sql: Sql): Promise<DeadLetterGroup[]> {
  // dead_letters_open_idx finds them, as many as there is work to do; dead_letters_definition_idx the newest of each.
  return await sql<DeadLetterGroup[]>`
    with largest as materialized (
      select
        definition_key, error_code, count(*)::float8 as count, min(moved_to_dlq_at) as first_at, max(moved_to_dlq_at) as last_at
      from job_server.dead_letters
      where redriven_at is null and definition_key <> all(${neverRedriven}::text[])
      group by definition_key, error_code
      order by count desc, definition_key, error_code
      limit 500
    )
    select largest.*, error_summary
    from largest
    cross join lateral (
      select error_summary from job_server.dead_letters as newest
      where newest.definition_key = largest.definition_key and moved_to_dlq_at = last_at
        and newest.error_code is not distinct from largest.error_code and redriven_at is null
      limit 1
    ) as newest
    order by count desc, definition_key, error_code`
}

export async function readDeadLetter(sql: Sql, id: string): Promise<DeadLetter | null> {
  const [letter] = await sql<DeadLetter[]>`
    select ${viewColumns(sql)}, params, idempotency_key, details from job_server.dead_letters where id = ${id}`
  return letter ?? null
}

function viewColumns(sql: Sql) {
  return sql`
    id as dlq_job_id, original_job_id, definition_key, definition_version, priority, attempts, max_attempts, queued_at,
    started_at, finished_at, error_code, error_summary, moved_to_dlq_at, redriven_at, redriven_job_id`
}
