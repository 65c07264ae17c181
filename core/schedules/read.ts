/** Reads schedules and what became of their fire times. */
import type { Sql } from '../db.ts'
import { type Schedule, type ScheduleSource, scheduleColumns } from './row.ts'

export interface ScheduleFilter {
  definitionKey?: string | undefined
  source?: ScheduleSource | undefined
  enabled?: boolean | undefined
  limit: number
  offset: number
}

/** One page, by name, and how many match in all. */
export async function listSchedules(
  sql: Sql,
  filter: ScheduleFilter,
): Promise<{ schedules: Schedule[]; total: number }> {
  const { definitionKey, source, enabled, limit, offset } = filter
  const matching = sql`
    from job_server.schedules
    where true
      ${definitionKey === undefined ? sql`` : sql`and definition_key = ${definitionKey}`}
      ${source === undefined ? sql`` : sql`and source = ${source}`}
      ${enabled === undefined ? sql`` : sql`and enabled = ${enabled}`}`
  // schedules_name_unique gives the order.
  const [schedules, [count]] = await Promise.all([
    sql<Schedule[]>`select ${scheduleColumns(sql)} ${matching} order by name limit ${limit} offset ${offset}`,
    sql<{ total: number }[]>`select count(*)::int as total ${matching}`,
  ])
  return { schedules, total: count?.total ?? 0 }
}

export async function readSchedule(sql: Sql, id: string): Promise<Schedule | null> {
  const [schedule] = await sql<Schedule[]>`
    select ${scheduleColumns(sql)} from job_server.schedules where id = ${id}`
  return schedule ?? null
}

export async function findSchedule(sql: Sql, name: string): Promise<Schedule | null> {
  const [schedule] = await sql<Schedule[]>`
    select ${scheduleColumns(sql)} from job_server.schedules where name = ${name}`
  return schedule ?? null
}

export interface Fire {
  /** The time of the expression; for a manual fire, when it was asked for. */
  fireAt: Date
  manual: boolean
  recordedAt: Date
  outcome: 'enqueued' | 'skipped' | 'missed' | 'failed'
  jobId: string | null
  /** Of times missed one after another: the last, and how many they are (null: more than were counted). */
  missedThrough: Date | null
  missedTimes: number | null
  /** Why it was skipped, missed or failed. */
  reason: string | null
}

/** Newest first; `before` is the fire time of the last one seen. */
export async function readFires(
  sql: Sql,
  scheduleId: string,
  page: { before?: Date | undefined; limit: number },
): Promise<Fire[]> {
  const { before, limit } = page
  // schedule_fires_pk, backwards.
  return await sql<Fire[]>`
    select fire_at, manual, recorded_at, outcome, job_id, missed_through, missed_times, reason
    from job_server.schedule_fires
    where schedule_id = ${scheduleId} ${before === undefined ? sql`` : sql`and fire_at < ${before}`}
    order by fire_at desc, manual desc
    limit ${limit}`
}
