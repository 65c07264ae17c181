/**
 * When a schedule fires: pure, given its expression, its zone and its bounds. An expression is a cron expression of
 * five to seven fields or a nickname (read by croner), an interval (`every 90s`), or one time (ISO 8601).
 *
 * Cron expressions are read on the wall clock of the zone. One with fixed times, such as a daily 02:30, fires once a
 * day on every day: a time that occurs twice counts at its first occurrence, one that a gap swallows at the gap's end.
 * One with a wildcard or step in its time of day follows the real time through both hours of a repeated one.
 */
import { Cron } from 'croner'

export interface Timetable {
  expression: string
  /** IANA zone. Intervals take no notice of it. */
  timezone: string
  /** Fires at and after this time. */
  startsAt: Date | null
  /** Fires before this time. */
  endsAt: Date | null
  /** Intervals count from `startsAt`, or without it from here. */
  createdAt: Date
}

export type Expression =
  | { kind: 'cron'; pattern: string }
  | { kind: 'interval'; periodMs: number }
  /** Without an offset the time is one of the schedule's zone. */
  | { kind: 'once'; time: string }

const unitMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
/** The calendar of the language ends some time. */
const longestDays = 36_525
const interval = /^every((?:\s*\d+(?:\.\d+)?(?:ms|s|m|h|d))+)$/i
const isoTime = /^(\d{4}-\d\d-\d\dT\d\d:\d\d)(:[0-5]\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)?$/

/** @throws SyntaxError with a sentence when it is none of the three */
export function parseExpression(text: string): Expression {
  const expression = text.trim()
  const parts = interval.exec(expression)?.[1]
  if (parts !== undefined) return { kind: 'interval', periodMs: sumOf(parts) }
  if (/^every\b/i.test(expression)) {
    throw new SyntaxError('expected an interval such as "every 90s" or "every 1h 30m"')
  }
  if (/^\d{4}-/.test(expression)) {
    if (!isRealTime(expression)) {
      throw new SyntaxError('expected a time such as "2030-01-31T09:00:00" or "2030-01-31T09:00:00Z"')
    }
    return { kind: 'once', time: expression }
  }
  try {
    new Cron(expression, { paused: true })
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace(/^Cron\w+: /, '') : String(error)
    throw new SyntaxError(`not a cron expression: ${reason}`)
  }
  return { kind: 'cron', pattern: expression }
}

/** Whether the zone is an IANA name that this machine knows. */
export function isTimezone(name: string): boolean {
  // Offsets such as +02:00 are taken by Intl too, but are no places: they never change their clocks.
  if (!/^[a-z]/i.test(name)) return false
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return true
  } catch {
    return false
  }
}

/** The first fire time after a moment; null: none is to come. */
export function nextTime(table: Timetable, after: Date): Date | null {
  return timesOf(table).next(after)
}

/** Some ten years. To look further takes long where times are rare: a 29 February that is a Monday comes every 28 years. */
const horizonMs = 3653 * unitMs.d

/** The next `count` fire times after a moment, or as many as there are; beyond the next ten years one at most. */
export function nextTimes(table: Timetable, after: Date, count: number): Date[] {
  const { next } = timesOf(table)
  const horizon = after.getTime() + horizonMs
  const times: Date[] = []
  for (let time = next(after); time !== null && times.length < count; ) {
    times.push(time)
    time = time.getTime() > horizon ? null : next(time)
  }
  return times
}

/** A list of seconds shows in any minute. */
const sampledTimes = 100

/** In seconds, the shortest distance between two of the next hundred fire times; infinite where there is one at most. */
export function shortestPeriod(table: Timetable, after: Date): number {
  const times = nextTimes(table, after, sampledTimes)
  return times.slice(1).reduce((shortest, time, index) => {
    return Math.min(shortest, (time.getTime() - (times[index]?.getTime() ?? 0)) / 1000)
  }, Number.POSITIVE_INFINITY)
}

/** With as much jitter a time could fall behind the next. */
export function jitterProblem(periodSeconds: number): string {
  return `expected less than the ${periodSeconds} s between two fires`
}

/**
 * The last `count` fire times from `since` up to and with `upTo`, oldest first, or as many as there were. Costs as much
 * as there are times in between, and never more than for `count`.
 */
export function lastTimes(
  table: Timetable,
  { since, upTo, count }: { since: Date; upTo: Date; count: number },
): Date[] {
  const { next, last } = timesOf(table)
  const times: Date[] = []
  let time = next(new Date(since.getTime() - 1))
  for (; time !== null && time <= upTo && times.length < count; time = next(time)) times.push(time)
  // Or too many to count from the front.
  return time === null || time > upTo ? times : last(upTo, count)
}

interface Times {
  /** Strictly after. */
  next(after: Date): Date | null
  /** Up to and with, oldest first. */
  last(upTo: Date, count: number): Date[]
}

/** Within the bounds of the table. `last` may give times before `startsAt`. */
function timesOf(table: Timetable): Times {
  const { startsAt, endsAt } = table
  const times = unboundedTimesOf(table)
  return {
    next: (after) => {
      const time = times.next(
        startsAt !== null && startsAt > after ? new Date(startsAt.getTime() - 1) : after,
      )
      return time === null || (endsAt !== null && time >= endsAt) ? null : time
    },
    last: (upTo, count) =>
      times.last(endsAt !== null && endsAt <= upTo ? new Date(endsAt.getTime() - 1) : upTo, count),
  }
}

function unboundedTimesOf({ expression, timezone, startsAt, createdAt }: Timetable): Times {
  const parsed = parseExpression(expression)
  if (parsed.kind === 'interval')
    return everyPeriod(parsed.periodMs, startsAt ?? createdAt, startsAt === null ? 1 : 0)
  const cron = new Cron(parsed.kind === 'once' ? parsed.time : parsed.pattern, {
    paused: true,
    timezone,
    // As Vixie cron: `30 2,14 * * *` too is two fixed times, to fire once each.
    fixedTimeRule: 'no-wildcard',
  })
  if (parsed.kind === 'once') return onlyAt(cron.nextRun(new Date(0)))
  return {
    next: (after) => cron.nextRun(after),
    // croner looks strictly before.
    last: (upTo, count) => cron.previousRuns(count, new Date(upTo.getTime() + 1)).reverse(),
  }
}

/** `first`: how many periods after `from` the first time is. */
function everyPeriod(periodMs: number, from: Date, first: number): Times {
  const at = (index: number) => new Date(from.getTime() + index * periodMs)
  const lastIndex = (upTo: Date) => Math.floor((upTo.getTime() - from.getTime()) / periodMs)
  return {
    next: (after) => at(Math.max(first, lastIndex(after) + 1)),
    last: (upTo, count) => {
      const end = lastIndex(upTo)
      const begin = Math.max(first, end - count + 1)
      return Array.from({ length: Math.max(0, end - begin + 1) }, (_, index) => at(begin + index))
    },
  }
}

function onlyAt(time: Date | null): Times {
  return {
    next: (after) => (time !== null && time > after ? time : null),
    last: (upTo, count) => (time !== null && time <= upTo && count > 0 ? [time] : []),
  }
}

function sumOf(parts: string): number {
  let sum = 0
  for (const [, amount, unit = ''] of parts.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/gi)) {
    sum += Number(amount) * unitMs[unit.toLowerCase() as keyof typeof unitMs]
  }
  if (sum < 1) throw new SyntaxError('expected an interval of a millisecond or more')
  if (sum > longestDays * unitMs.d) throw new SyntaxError(`expected an interval of ${longestDays} d or less`)
  return Math.round(sum)
}

/** Date takes 30 February for 2 March. */
function isRealTime(expression: string): boolean {
  const [, minute] = isoTime.exec(expression) ?? []
  if (minute === undefined || Number.isNaN(Date.parse(expression))) return false
  return new Date(`${minute}Z`).toJSON()?.startsWith(minute) ?? false
}
