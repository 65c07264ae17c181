/** Reads dead letters: jobs that failed for good. */
import type { Sql } from '../db.ts'
import { internalDefinitions } from '../definitions/internal.ts'
import type { JsonObject } from '../json.ts'

export interface DeadLetterView {
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

/** One page, newest first, and how many there are in all; those of our own only where their definition is named. */
export async function listDeadLetters(
  sql: Sql,
  filter: { definitionKey?: string | undefined; limit: number; offset: number },
): Promise<{ jobs: DeadLetterView[]; total: number }> {
  const { definitionKey, limit, offset } = filter
  const matching =
    definitionKey === undefined
      ? sql`definition_key <> all(${internalDefinitions}::text[])`
      : sql`definition_key = ${definitionKey}`
  const [jobs, [count]] = await Promise.all([
    // dead_letters_definition_idx or dead_letters_moved_idx
    sql<DeadLetterView[]>`
      select ${viewColumns(sql)} from job_server.dead_letters
      where ${matching}
      order by moved_to_dlq_at desc, id desc
      limit ${limit} offset ${offset}`,
    sql<{ total: number }[]>`
      select count(*)::float8 as total from job_server.dead_letters where ${matching}`,
  ])
  return { jobs, total: count?.total ?? 0 }
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
