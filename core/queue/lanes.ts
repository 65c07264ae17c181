/** Jobs stand in lanes, one for each queue and definition. */
import type { Sql } from '../db.ts'

export interface Lane {
  queue: string
  definitionKey: string
  definitionVersion: number
}

export interface Served {
  /** Only jobs of these definitions: those whose code this worker has loaded. */
  definitions: { key: string; version: number }[]
  /** Only these queues; all when empty. Paused ones are left out either way. */
  queues: string[]
}

/** Rows of `lanes`, by lanes_pk. */
export function servedLanes(sql: Sql, { definitions, queues }: Served) {
  return sql`
    select lanes.*
    from (${namesOf(sql, definitions)}) as served
    join job_server.lanes on lanes.definition_key = served.key and lanes.definition_version = served.version
    where not exists (select from job_server.queues where queues.name = lanes.queue and paused_at is not null)
      ${queues.length === 0 ? sql`` : sql`and lanes.queue = any(${queues}::text[])`}`
}

/** Rows of `key, version`. */
export function namesOf(sql: Sql, definitions: Served['definitions']) {
  return sql`
    select key, version
    from unnest(${definitions.map(({ key }) => key)}::text[], ${definitions.map(({ version }) => version)}::int[]) as given (key, version)`
}
