/** What becomes of each due time of a schedule, before anything is written: catch-up and overlap policies decide. */
import { whyNotAnother } from './overlap.ts'
import { planFires } from './plan.ts'
import type { FireRecord } from './record.ts'
import type { Schedule } from './row.ts'
import { nextTime } from './timetable.ts'

export type DueSchedule = Schedule & {
  nextFireAt: Date
  now: Date
  /** Of code, and neither that with which workers start nor that of any who lives has it any more. */
  isAbandoned: boolean
  /** It was at its last time, too. */
  wasAbandoned: boolean
}

/** Of a time at which a schedule was abandoned. */
export const abandonedReason = 'The code of no worker has it any more; it rests until one starts that has it.'

/** A record to be written. One that is `enqueued` and has no job yet gets it then. */
export interface Turn {
  schedule: DueSchedule
  record: FireRecord
}

export interface Decision {
  schedule: DueSchedule
  /** Oldest first. */
  turns: Turn[]
  next: Date | null
}

export interface ScheduleError {
  schedule: string
  error: unknown
}

/**
 * @param unended jobs of earlier fires that have not ended, latest first
 * @param errors gets what made the schedule stand still
 */
export function decide(schedule: DueSchedule, unended: string[], errors: ScheduleError[]): Decision {
  const turn = (record: Partial<FireRecord>): Turn => ({
    schedule,
    record: {
      scheduleId: schedule.id,
      fireAt: schedule.nextFireAt,
      outcome: 'enqueued',
      jobId: null,
      missedThrough: null,
      missedTimes: null,
      reason: null,
      ...record,
    },
  })
  try {
    if (schedule.isAbandoned) {
      // It keeps its aim: the version before, when it comes back, gives none to a schedule that it finds unchanged.
      const skip = turn({ outcome: 'skipped', reason: abandonedReason })
      return { schedule, turns: schedule.wasAbandoned ? [] : [skip], next: nextTime(schedule, schedule.now) }
    }
    const { fires, missed, next } = planFires(schedule, schedule.now)
    const turns: Turn[] = []
    if (missed !== null) {
      const { from, through, times, reason } = missed
      turns.push(
        turn({ outcome: 'missed', fireAt: from, missedThrough: through, missedTimes: times, reason }),
      )
    }
    const live: (string | null)[] = [...unended]
    for (const fireAt of fires) {
      const reason = whyNotAnother(schedule.overlap, live)
      turns.push(turn(reason === null ? { fireAt } : { fireAt, outcome: 'skipped', reason }))
      if (reason === null) live.unshift(null)
    }
    return { schedule, turns, next }
  } catch (error) {
    // A zone that this machine doesn't know, for example. Without a next time it waits until it is changed.
    errors.push({ schedule: schedule.name, error })
    const reason = 'Its next time can not be computed; it stands still until it is changed.'
    return { schedule, turns: [turn({ outcome: 'failed', reason })], next: null }
  }
}
