/** When the next fire of a schedule is due: its time, and its jitter on top. */
import { createHash } from 'node:crypto'
import { nextTime, type Timetable } from './timetable.ts'

export interface Aim {
  nextFireAt: Date | null
  dueAt: Date | null
}

type Jittered = { id: string; jitterSeconds: number }

/** The first fire after a moment; nothing when the schedule is disabled or has no time to come. */
export function aimAfter(schedule: Timetable & Jittered & { enabled: boolean }, after: Date): Aim {
  return aimAt(schedule, schedule.enabled ? nextTime(schedule, after) : null)
}

export function aimAt(schedule: Jittered, time: Date | null): Aim {
  return { nextFireAt: time, dueAt: time === null ? null : dueTime(schedule, time) }
}

/**
 * Uniform in [time, time + jitter), so that a hundred jobs of midnight don't begin in the same second. Chosen by
 * schedule and time: whoever computes it comes to the same.
 */
export function dueTime({ id, jitterSeconds }: Jittered, time: Date): Date {
  if (jitterSeconds === 0) return time
  const hash = createHash('sha256').update(`${id} ${time.getTime()}`).digest()
  const part = hash.readUInt32BE(0) / 2 ** 32
  return new Date(time.getTime() + Math.floor(part * jitterSeconds * 1000))
}
