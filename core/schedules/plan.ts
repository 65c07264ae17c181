/**
 * Decides what becomes of the times of a schedule that are due: which fire, which were missed, what comes next.
 *
 * Usually one time is due. After an outage, or when `tick` comes once a minute to a schedule of every few seconds,
 * several are, and the catch-up policy decides:
 *
 *   none   the latest fires if it is no older than `lateSeconds`; the others are missed
 *   last   the latest fires, however old; the others are missed
 *   all    the latest `catchUpLimit` fire, oldest first; those before are missed
 */
import { dueTime } from './due.ts'
import type { CatchUpPolicy } from './row.ts'
import { lastTimes, nextTime, type Timetable } from './timetable.ts'

/** Above the minute that lies between two ticks of a serverless cron. */
const lateSeconds = 120
/** What is left goes on in the next pass, so that a transaction stays short. */
const firesPerPass = 20
/** Counting goes from time to time: 20 µs each. */
const countedTimes = 1000

export interface Plan {
  /** Oldest first. */
  fires: Date[]
  missed: Missed | null
  /** The next time to fire; null: none is to come. It may be due already. */
  next: Date | null
}

interface Missed {
  from: Date
  through: Date
  /** Null: more than were counted. */
  times: number | null
  reason: string
}

export interface Due extends Timetable {
  id: string
  jitterSeconds: number
  catchUp: CatchUpPolicy
  catchUpLimit: number
  nextFireAt: Date
}

/** Of a schedule whose next time is due. @param now the database's. @throws when the expression or the zone can't be read any more */
export function planFires(schedule: Due, now: Date): Plan {
  const { catchUp, catchUpLimit, nextFireAt } = schedule
  const keep = catchUp === 'all' ? catchUpLimit : 1
  // One more than is kept: the latest may still have to wait for its jitter.
  const latest = lastTimes(schedule, { since: nextFireAt, upTo: now, count: keep + 1 }).filter(
    (time) => time.getTime() === nextFireAt.getTime() || dueTime(schedule, time) <= now,
  )
  const kept = latest.slice(-keep)
  const last = kept.at(-1)
  // The rules of the zone have changed since the next time was computed: there is none now where one was.
  if (last === undefined) return { fires: [], missed: null, next: nextTime(schedule, now) }
  const afterLast = nextTime(schedule, last)

  if (catchUp === 'none' && now.getTime() - dueTime(schedule, last).getTime() > lateSeconds * 1000) {
    const ageSeconds = Math.round((now.getTime() - last.getTime()) / 1000)
    const reason = `Nobody fired it for ${ageSeconds} s, and it does not catch up.`
    return { fires: [], missed: missedThrough(schedule, last, reason), next: afterLast }
  }
  const [first = last] = kept
  const [before] = lastTimes(schedule, {
    since: nextFireAt,
    upTo: new Date(first.getTime() - 1),
    count: 1,
  })
  return {
    fires: kept.slice(0, firesPerPass),
    missed: before === undefined ? null : missedThrough(schedule, before, reasonOf(schedule)),
    next: kept[firesPerPass] ?? afterLast,
  }
}

function reasonOf({ catchUp, catchUpLimit }: Due): string {
  return catchUp === 'all'
    ? `Nobody fired it in time, and only the latest ${catchUpLimit} are caught up.`
    : 'Nobody fired it before the next time was due.'
}

function missedThrough(schedule: Due, through: Date, reason: string): Missed {
  const from = schedule.nextFireAt
  let times = 1
  for (
    let time = nextTime(schedule, from);
    time !== null && time <= through;
    time = nextTime(schedule, time)
  ) {
    times++
    if (times > countedTimes) return { from, through, times: null, reason }
  }
  return { from, through, times, reason }
}
