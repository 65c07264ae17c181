/** Writes down what was discovered, so that the API can accept jobs for it. */
import type { Sql } from '../db.ts'
import { makeLanes } from '../queue/lanes.ts'
import { jsonParameter } from '../queue/row.ts'
import { syncSchedules } from '../schedules/sync.ts'
import type { DefinitionRecord } from './discover.ts'

/** With their schedules. Idempotent; the newest registration of a key and version wins. */
export async function registerDefinitions(sql: Sql, definitions: DefinitionRecord[]): Promise<void> {
  if (definitions.length === 0) return
  const rows = [...definitions]
    // One order for all who register at once: two statements that lock rows in other orders deadlock.
    .sort((a, b) => a.key.localeCompare(b.key) || a.version - b.version)
    .map(({ rateLimit, backoff, schedule: _schedule, ...definition }) => ({
      ...definition,
      backoff: { ...backoff },
      rateLimitCount: rateLimit?.count ?? null,
      rateLimitSeconds: rateLimit?.seconds ?? null,
    }))
  await sql`
    with given as materialized (
      select * from jsonb_to_recordset(${sql.json(jsonParameter(rows))}) as given (
        key text, version int, queue text, "maxAttempts" int, "timeoutSeconds" float8, "concurrencyLimit" int,
        "concurrencyKeyLimit" int, "rateLimitCount" int, "rateLimitSeconds" float8, hooks text[], backoff jsonb, "paramsSchema" jsonb
      )
    ),
    -- Here already, so that enqueues in long transactions don't wait for one another over the first of a lane.
    laned as (
      ${makeLanes(sql, sql`(select queue, key as definition_key, version as definition_version from given)`)}
    )
    insert into job_server.definitions (
      key, version, queue, default_max_attempts, timeout_seconds, concurrency_limit, key_concurrency_limit,
      rate_limit_count, rate_limit_seconds, hooks, backoff, params_schema
    )
    select
      key, version, queue, "maxAttempts", "timeoutSeconds", "concurrencyLimit", "concurrencyKeyLimit",
      "rateLimitCount", "rateLimitSeconds", hooks, backoff, "paramsSchema"
    from given
    order by key, version
    on conflict on constraint definitions_pk do update set
      queue = excluded.queue,
      default_max_attempts = excluded.default_max_attempts,
      timeout_seconds = excluded.timeout_seconds,
      concurrency_limit = excluded.concurrency_limit,
      key_concurrency_limit = excluded.key_concurrency_limit,
      rate_limit_count = excluded.rate_limit_count,
      rate_limit_seconds = excluded.rate_limit_seconds,
      hooks = excluded.hooks,
      backoff = excluded.backoff,
      params_schema = excluded.params_schema,
      registered_at = now()`
  await syncSchedules(sql, definitions)
}
