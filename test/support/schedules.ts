/** Schedules over a test database, spoken shortly. */
import type { Pool } from '../../core/db.ts'
import { createSchedule, scheduleDefaults } from '../../core/schedules/create.ts'
import { type Fire, readFires, readSchedule } from '../../core/schedules/read.ts'
import type { Schedule, ScheduleSettings } from '../../core/schedules/row.ts'

export interface TestSchedule {
  id: string
  read(): Promise<Schedule>
  /** Oldest first. */
  fires(): Promise<Fire[]>
  /** What became of each time, oldest first: `2026-01-01T02:00 enqueued`. */
  outcomes(): Promise<string[]>
}

/** Of the definition `test`, which must be registered. */
export async function testSchedule(
  sql: Pool,
  settings: Partial<ScheduleSettings> & { expression: string },
): Promise<TestSchedule> {
  const { id } = await createSchedule(
    sql,
    { ...scheduleDefaults, definitionKey: 'test', name: `test ${crypto.randomUUID()}`, ...settings },
    { minPeriodSeconds: 0.01 },
  )
  const fires = async () => (await readFires(sql, id, { limit: 1000 })).reverse()
  return {
    id,
    fires,
    read: async () => {
      const schedule = await readSchedule(sql, id)
      if (schedule === null) throw new Error('the schedule is gone')
      return schedule
    },
    outcomes: async () =>
      (await fires()).map(({ fireAt, outcome }) => `${fireAt.toISOString().slice(0, 16)} ${outcome}`),
  }
}
