/** Writes down what was discovered, so that the API can accept jobs for it. */
import type { Sql } from '../db.ts'
import { jsonParameter } from '../queue/row.ts'
import type { DefinitionRecord } from './discover.ts'

/** Idempotent; the newest registration of a key and version wins. */
export async function registerDefinitions(sql: Sql, definitions: DefinitionRecord[]): Promise<void> {
  if (definitions.length === 0) return
  const rows = [...definitions]
    // One order for all who register at once: two statements that lock rows in other orders deadlock.
    .sort((a, b) => a.key.localeCompare(b.key) || a.version - b.version)
    .map((definition) => ({ ...definition, backoff: { ...definition.backoff } }))
  await sql`
    insert into job_server.definitions
      (key, version, queue, default_max_attempts, timeout_seconds, backoff, params_schema)
    select key, version, queue, "maxAttempts", "timeoutSeconds", backoff, "paramsSchema"
    from jsonb_to_recordset(${sql.json(jsonParameter(rows))}) as given (
      key text, version int, queue text, "maxAttempts" int, "timeoutSeconds" float8, backoff jsonb, "paramsSchema" jsonb
    )
    order by key, version
    on conflict on constraint definitions_pk do update set
      queue = excluded.queue,
      default_max_attempts = excluded.default_max_attempts,
      timeout_seconds = excluded.timeout_seconds,
      backoff = excluded.backoff,
      params_schema = excluded.params_schema,
      registered_at = now()`
}
