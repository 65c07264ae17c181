/** Makes a schedule, if it can do what it says. */
import { databaseTime, endWhenStill, isUniqueViolation, type Pool, waitBriefly } from '../db.ts'
import { ScheduleNameTaken } from '../errors.ts'
import { newId } from '../ids.ts'
import { jsonParameter } from '../queue/row.ts'
import { checkTiming, checkWork, type Limits } from './check.ts'
import { aimAfter } from './due.ts'
import { type Schedule, type ScheduleSettings, scheduleColumns } from './row.ts'

export const scheduleDefaults = {
  definitionVersion: 1,
  params: {},
  priority: 0,
  queue: null,
  timezone: 'UTC',
  startsAt: null,
  endsAt: null,
  jitterSeconds: 0,
  overlap: 'allow',
  catchUp: 'last',
  catchUpLimit: 100,
  enabled: true,
} satisfies Omit<ScheduleSettings, 'name' | 'definitionKey' | 'expression'>

/** @throws InvalidSchedule, DefinitionNotFound, InvalidParams, ScheduleNameTaken */
export async function createSchedule(
  sql: Pool,
  settings: ScheduleSettings,
  limits: Limits,
): Promise<Schedule> {
  const createdAt = await databaseTime(sql)
  checkTiming({ ...settings, createdAt }, createdAt, limits)
  const id = newId()
  const row = {
    ...settings,
    ...aimAfter({ ...settings, id, createdAt }, createdAt),
    id,
    createdAt,
    params: sql.json(jsonParameter(settings.params)),
  }
  try {
    return await sql.begin(async (tx) => {
      await tx`select ${endWhenStill(tx)}, ${waitBriefly(tx)}`
      await checkWork(tx, settings)
      const [schedule] = await tx<Schedule[]>`
        insert into job_server.schedules ${tx(row)} returning ${scheduleColumns(tx)}`
      if (schedule === undefined) throw new Error('the new schedule was not returned')
      return schedule
    })
  } catch (error) {
    if (isUniqueViolation(error, 'schedules_name_unique')) throw new ScheduleNameTaken(settings.name)
    throw error
  }
}
