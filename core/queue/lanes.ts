/**
 * Jobs stand in lanes, one for each queue and definition. A claim looks at all of them, so those that are used no more are
 * removed. Who enqueues only reads that its lane is there, as to hold it would be a write for every job, on a row that all
 * share. Time keeps the two apart:
 *
 *   used ──── a day ────► unused: who enqueues makes it anew ──── one more day ────► goes, if it has no jobs
 *
 * Who took a lane for used did so at least a day before that, and its job is there to be seen; unless its transaction has
 * been open for so long, or it is a program of a version that knows of no use. A lane that goes in spite of such a job is
 * made again (`core/upkeep/lanes.ts`).
 */
import type { Fragment, Sql } from '../db.ts'

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

/**
 * Makes the lanes that are not there, or unused. Who makes one waits for others who do so at the same time, and for their
 * transactions.
 * @param wanted rows that have the columns of a lane
 */
export function makeLanes(sql: Sql, wanted: Fragment) {
  // Each is looked for by itself, by lanes_pk: `not exists` might read all lanes there are. One order for all: two that
  // make several lanes at once wait for one another, and not in a circle.
  return sql`
    insert into job_server.lanes (queue, definition_key, definition_version)
    select queue, definition_key, definition_version
    from (select distinct queue, definition_key, definition_version from ${wanted} as all_wanted) as wanted
    where (
      select true from job_server.lanes
      where lanes.queue = wanted.queue and lanes.definition_key = wanted.definition_key
        and lanes.definition_version = wanted.definition_version and lanes.used_at > now() - ${unusedAfter(sql)}
    ) is null
    order by queue, definition_key, definition_version
    on conflict on constraint lanes_pk do update set used_at = excluded.used_at`
}

/**
 * Writes down that lanes are in use: four times a day at most, and so long before who enqueues would take one for unused.
 * Passes by those that somebody holds: who makes a lane uses it.
 * @param which a condition on rows of `lanes`
 */
export function noteUse(sql: Sql, which: Fragment) {
  return sql`
    update job_server.lanes set used_at = now()
    where (queue, definition_key, definition_version) in (
      select queue, definition_key, definition_version from job_server.lanes
      where used_at < now() - ${unusedAfter(sql)} / 4 and ${which}
      for update skip locked
    )`
}

/** A condition on rows of `lanes`. */
export function mayGo(sql: Sql) {
  return sql`used_at < now() - 2 * ${unusedAfter(sql)}`
}

function unusedAfter(sql: Sql) {
  return sql`interval '1 day'`
}
