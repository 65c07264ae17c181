/** A schedule as the rest of the code knows it, and its columns. */
import type { Sql } from '../db.ts'
import type { JsonObject } from '../json.ts'
import type { Timetable } from './timetable.ts'

/** What happens at a fire time while a job of an earlier one has not ended. */
export const overlapPolicies = ['allow', 'skip', 'queueOne'] as const
export type OverlapPolicy = (typeof overlapPolicies)[number]

/** What happens to times that nobody was there to fire. */
export const catchUpPolicies = ['none', 'last', 'all'] as const
export type CatchUpPolicy = (typeof catchUpPolicies)[number]

export const scheduleSources = ['api', 'code'] as const
export type ScheduleSource = (typeof scheduleSources)[number]

/** What may be said of a schedule. */
export interface ScheduleSettings {
  name: string
  definitionKey: string
  definitionVersion: number
  params: JsonObject
  priority: number
  /** Null: the definition's. */
  queue: string | null
  expression: string
  timezone: string
  startsAt: Date | null
  endsAt: Date | null
  /** Each fire comes later by a part of this, chosen by schedule and time. */
  jitterSeconds: number
  overlap: OverlapPolicy
  catchUp: CatchUpPolicy
  /** Of `all`: at most so many of the latest times are made up for. */
  catchUpLimit: number
  enabled: boolean
}

export interface Schedule extends ScheduleSettings, Timetable {
  id: string
  source: ScheduleSource
  nextFireAt: Date | null
  /** The next fire time with its jitter. */
  dueAt: Date | null
  lastFireAt: Date | null
  lastJobId: string | null
  updatedAt: Date
}

export function scheduleColumns(sql: Sql) {
  return sql`
    id, name, source, definition_key, definition_version, params, priority, queue, expression, timezone, enabled,
    starts_at, ends_at, jitter_seconds, overlap, catch_up, catch_up_limit, next_fire_at, due_at, last_fire_at,
    last_job_id, created_at, updated_at`
}
