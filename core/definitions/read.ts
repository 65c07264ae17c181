/** Reads what the workers registered: the API validates and lists by it, without loading any job code. */
import type { Sql } from '../db.ts'
import type { JsonObject } from '../json.ts'

export interface DefinitionView {
  key: string
  version: number
  defaultMaxAttempts: number
  timeoutSeconds: number
  concurrencyLimit: number | null
}

export interface RegisteredDefinition extends DefinitionView {
  queue: string
  paramsSchema: JsonObject
}

/** All registered definitions, by key and version. */
export async function listDefinitions(sql: Sql): Promise<DefinitionView[]> {
  return await sql<DefinitionView[]>`
    select key, version, default_max_attempts, timeout_seconds, concurrency_limit
    from job_server.definitions
    order by key, version`
}

export async function readDefinition(
  sql: Sql,
  key: string,
  version: number,
): Promise<RegisteredDefinition | null> {
  const [row] = await sql<RegisteredDefinition[]>`
    select key, version, default_max_attempts, timeout_seconds, concurrency_limit, queue, params_schema
    from job_server.definitions
    where key = ${key} and version = ${version}`
  return row ?? null
}
