/** Changes a schedule. */
import { endWhenStill, isUniqueViolation, type Pool } from '../db.ts'
import { ScheduleDefinedInCode, ScheduleNameTaken, ScheduleNotFound } from '../errors.ts'
import { jsonParameter } from '../queue/row.ts'
import { checkTiming, checkWork, type Limits } from './check.ts'
import { type Aim, aimAfter } from './due.ts'
import { type Schedule, type ScheduleSettings, scheduleColumns } from './row.ts'

/**
 * A change of its times, or enabling it, makes it go on from now: nothing of before is caught up.
 * @throws ScheduleNotFound, ScheduleDefinedInCode, InvalidSchedule, DefinitionNotFound, InvalidParams, ScheduleNameTaken
 */
export async function updateSchedule(
  sql: Pool,
  id: string,
  changes: Partial<ScheduleSettings>,
  limits: Limits,
): Promise<Schedule> {
  try {
    return await sql.begin(async (tx) => {
      // The lock keeps a leader from moving the schedule on between our look and our write.
      const [before] = await tx<(Schedule & { now: Date })[]>`
        select ${scheduleColumns(tx)}, now(), ${endWhenStill(tx)} from job_server.schedules where id = ${id} for update`
      if (before === undefined) throw new ScheduleNotFound(id)
      const { now, ...schedule } = before
      if (schedule.source === 'code' && Object.keys(changes).some((name) => name !== 'enabled')) {
        throw new ScheduleDefinedInCode(schedule.name)
      }
      const after = { ...schedule, ...changes }
      if (timingDiffers(schedule, after)) checkTiming(after, now, limits)
      // While it was switched off, its definition may have been removed.
      const isSwitchedOn = after.enabled && !schedule.enabled
      if (isSwitchedOn || (changes.definitionKey ?? changes.definitionVersion ?? changes.params)) {
        await checkWork(tx, after)
      }
      const row = {
        ...changes,
        ...aim(schedule, after, now),
        ...(changes.params === undefined ? {} : { params: tx.json(jsonParameter(changes.params)) }),
        updatedAt: now,
      }
      const [changed] = await tx<Schedule[]>`
        update job_server.schedules set ${tx(row)} where id = ${id} returning ${scheduleColumns(tx)}`
      if (changed === undefined) throw new ScheduleNotFound(id)
      return changed
    })
  } catch (error) {
    if (isUniqueViolation(error, 'schedules_name_unique')) throw new ScheduleNameTaken(changes.name ?? '')
    throw error
  }
}

function aim(before: Schedule, after: Schedule, now: Date): Aim {
  const goesOn = before.enabled && after.enabled && !timingDiffers(before, after)
  return goesOn ? { nextFireAt: before.nextFireAt, dueAt: before.dueAt } : aimAfter(after, now)
}

function timingDiffers(a: ScheduleSettings, b: ScheduleSettings): boolean {
  return (
    a.expression !== b.expression ||
    a.timezone !== b.timezone ||
    a.startsAt?.getTime() !== b.startsAt?.getTime() ||
    a.endsAt?.getTime() !== b.endsAt?.getTime() ||
    a.jitterSeconds !== b.jitterSeconds
  )
}
