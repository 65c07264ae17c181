/** Which jobs are meant: the same words for lists and for what is done to many at once. */
import type { Sql } from '../db.ts'
import { internalDefinitions } from '../definitions/internal.ts'
import { isFinal, type JobStatus } from '../job-state.ts'

export interface JobFilter {
  status?: JobStatus | undefined
  definitionKey?: string | undefined
  queue?: string | undefined
  /** All of them. */
  tags?: string[] | undefined
  workerId?: string | undefined
  parentId?: string | undefined
  queuedAfter?: Date | undefined
  queuedBefore?: Date | undefined
  /** Part of the error's text, whatever its case. */
  error?: string | undefined
}

/**
 * Conditions for `jobs` and for `job_history`. Served by jobs_definition_idx, job_history_status_idx,
 * job_history_definition_idx, the two indexes on tags, and for times by the order of the ids; the other words are looked
 * for in the rows that those leave. Jobs of our own are meant only where their definition or queue is named.
 */
export function matching(sql: Sql, filter: JobFilter) {
  const {
    status,
    definitionKey,
    queue,
    tags = [],
    workerId,
    parentId,
    queuedAfter,
    queuedBefore,
    error,
  } = filter
  const rest = sql`
    ${ofDefinition(sql, definitionKey)}
    ${definitionKey === undefined && queue === undefined ? notInternal(sql) : sql``}
    ${queue === undefined ? sql`` : sql`and queue = ${queue}`}
    ${tags.length === 0 ? sql`` : sql`and tags <> '{}' and tags @> ${tags}::text[]`}
    ${workerId === undefined ? sql`` : sql`and worker_id = ${workerId}`}
    ${parentId === undefined ? sql`` : sql`and parent_id = ${parentId}`}
    ${queuedAfter === undefined ? sql`` : sql`and queued_at >= ${queuedAfter} and id >= ${idAround(sql, queuedAfter, -1)}`}
    ${queuedBefore === undefined ? sql`` : sql`and queued_at < ${queuedBefore} and id < ${idAround(sql, queuedBefore, 1)}`}
    ${error === undefined ? sql`` : sql`and position(lower(${error}) in lower(error_summary)) > 0`}`
  const never = sql`false`
  return {
    live: status !== undefined && isFinal(status) ? never : sql`${liveStatus(sql, status)} ${rest}`,
    finished:
      status === undefined ? sql`true ${rest}` : isFinal(status) ? sql`status = ${status} ${rest}` : never,
  }
}

/** In the words of jobs_definition_idx, which holds what is not `''`: all jobs. */
export function ofDefinition(sql: Sql, definitionKey: string | undefined) {
  return definitionKey === undefined
    ? sql``
    : sql`and definition_key = ${definitionKey} and definition_key <> ''`
}

function notInternal(sql: Sql) {
  return sql`and definition_key <> all(${internalDefinitions}::text[])`
}

/** Ids are made by the clock of whoever enqueues, which may be an hour off from the database's. */
function idAround(sql: Sql, time: Date, hours: -1 | 1) {
  return sql`job_server.uuid_v7_floor(${time}::timestamptz + make_interval(hours => ${hours}::int))`
}

function liveStatus(sql: Sql, status: JobStatus | undefined) {
  switch (status) {
    case undefined:
      return sql`true`
    case 'queued':
      return sql`state <> 'running'`
    case 'running':
      return sql`state = 'running' and cancel_requested_at is null`
    case 'cancelling':
      return sql`state = 'running' and cancel_requested_at is not null`
    default:
      return sql`false`
  }
}
