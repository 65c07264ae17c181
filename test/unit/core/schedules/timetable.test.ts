import { Cron } from 'croner'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  isTimezone,
  lastTimes,
  nextTime,
  nextTimes,
  parseExpression,
  type Timetable,
} from '../../../../core/schedules/timetable.ts'
import { daysBetween, wallMs, wallOf } from '../../../support/wall-clock.ts'

const zones = [
  'Europe/Berlin',
  'America/New_York',
  'Australia/Lord_Howe',
  'Africa/Casablanca',
  'America/Santiago',
  'Pacific/Chatham',
  'Asia/Kolkata',
  'UTC',
]
const minuteMs = 60_000

function table(expression: string, overrides: Partial<Timetable> = {}): Timetable {
  return {
    expression,
    timezone: 'UTC',
    startsAt: null,
    endsAt: null,
    createdAt: new Date('2026-01-01T00:00:00Z'),
    ...overrides,
  }
}

function iso(times: Date[]): string[] {
  return times.map((time) => time.toISOString())
}

describe('a daily 02:30 job runs once a day, every day', () => {
  test.each([
    ['Europe/Berlin', '2026-03-29 03:00:00'],
    ['America/New_York', '2026-03-08 03:00:00'],
    // Half an hour from 02:00: 02:30 is the first minute after it.
    ['Australia/Lord_Howe', '2026-10-04 02:30:00'],
    // Back from Ramadan's clock.
    ['Africa/Casablanca', '2026-03-22 03:00:00'],
    // Its gap is at midnight, so 02:30 is always there.
    ['America/Santiago', '2026-09-06 02:30:00'],
  ])('in %s', (timezone, onTheDayOfTheGap) => {
    const times = nextTimes(table('30 2 * * *', { timezone }), new Date('2025-12-31T12:00:00Z'), 365 * 2)
    const walls = times.map((time) => wallOf(time, timezone))
    expect(walls.map(({ date }) => date)).toEqual(
      daysBetween('2026-01-01', walls.at(-1)?.date ?? '').concat(walls.at(-1)?.date ?? ''),
    )
    expect(walls.map(({ date, clock }) => `${date} ${clock}`)).toContain(onTheDayOfTheGap)
  })

  test('and at midnight in Santiago, where some days begin at one', () => {
    const timezone = 'America/Santiago'
    const times = nextTimes(table('@daily', { timezone }), new Date('2025-12-31T12:00:00Z'), 365)
    const walls = times.map((time) => wallOf(time, timezone))
    expect(new Set(walls.map(({ date }) => date)).size).toBe(365)
    expect(walls.find(({ date }) => date === '2026-09-06')?.clock).toBe('01:00:00')
  })

  test('with two times a day too', () => {
    const times = nextTimes(
      table('30 2,14 * * *', { timezone: 'Europe/Berlin' }),
      new Date('2026-10-24T22:00:00Z'),
      2,
    )
    expect(iso(times)).toEqual(['2026-10-25T00:30:00.000Z', '2026-10-25T13:30:00.000Z'])
  })
})

test('a job of every half hour follows real time through both hours of a repeated one', () => {
  const times = nextTimes(
    table('*/30 * * * *', { timezone: 'Europe/Berlin' }),
    new Date('2026-10-25T00:00:00Z'),
    4,
  )
  expect(times.map((time) => wallOf(time, 'Europe/Berlin').clock)).toEqual([
    '02:30:00',
    '02:00:00',
    '02:30:00',
    '03:00:00',
  ])
})

test.each([
  ['0 0 29 2 *', '2096-02-28T00:00:00Z', ['2096-02-29', '2104-02-29']],
  ['0 0 L 2 *', '2027-02-01T00:00:00Z', ['2027-02-28', '2028-02-29']],
  ['0 0 L * *', '2026-01-01T00:00:00Z', ['2026-01-31', '2026-02-28', '2026-03-31']],
  ['0 0 * * 5#2', '2026-01-01T00:00:00Z', ['2026-01-09', '2026-02-13']],
  ['0 0 * * FRI#L', '2026-01-01T00:00:00Z', ['2026-01-30', '2026-02-27']],
  ['@weekly', '2026-01-01T00:00:00Z', ['2026-01-04', '2026-01-11']],
  ['@yearly', '2026-01-01T00:00:00Z', ['2027-01-01', '2028-01-01']],
])('%s after %s falls on %j', (expression, after, days) => {
  const times = nextTimes(table(expression), new Date(after), days.length)
  expect(iso(times)).toEqual(days.map((day) => `${day}T00:00:00.000Z`))
})

test('seconds are optional', () => {
  const after = new Date('2026-01-01T00:00:00Z')
  expect(iso(nextTimes(table('*/20 * * * * *'), after, 2))).toEqual([
    '2026-01-01T00:00:20.000Z',
    '2026-01-01T00:00:40.000Z',
  ])
})

describe('an interval', () => {
  test.each([
    ['every 90s', 90_000],
    ['every 1h 30m', 5_400_000],
    ['EVERY 2d', 172_800_000],
    ['every 0.5s', 500],
    ['every100ms', 100],
  ])('%s has %i ms', (expression, periodMs) => {
    expect(parseExpression(expression)).toEqual({ kind: 'interval', periodMs })
  })

  test('counts from its making, first one period after it', () => {
    expect(iso(nextTimes(table('every 90s'), new Date('2025-01-01T00:00:00Z'), 2))).toEqual([
      '2026-01-01T00:01:30.000Z',
      '2026-01-01T00:03:00.000Z',
    ])
  })

  test('counts from its start, first at that time', () => {
    const startsAt = new Date('2026-05-01T12:00:00Z')
    expect(iso(nextTimes(table('every 1d', { startsAt }), new Date('2026-01-01T00:00:00Z'), 2))).toEqual([
      '2026-05-01T12:00:00.000Z',
      '2026-05-02T12:00:00.000Z',
    ])
  })
})

test.each([
  ['2026-05-01T09:00:00', 'Europe/Berlin', '2026-05-01T07:00:00.000Z'],
  ['2026-05-01T09:00', 'America/New_York', '2026-05-01T13:00:00.000Z'],
  ['2026-05-01T09:00:00Z', 'Europe/Berlin', '2026-05-01T09:00:00.000Z'],
  ['2026-05-01T09:00:00+05:30', 'Europe/Berlin', '2026-05-01T03:30:00.000Z'],
])('%s in %s is one time', (expression, timezone, at) => {
  const once = table(expression, { timezone })
  expect(iso(nextTimes(once, new Date('2026-01-01T00:00:00Z'), 5))).toEqual([at])
  expect(nextTime(once, new Date(at))).toBeNull()
  expect(iso(lastTimes(once, { since: new Date(0), upTo: new Date(at), count: 5 }))).toEqual([at])
})

test('times lie from the start on and before the end', () => {
  const bounded = table('0 * * * *', {
    startsAt: new Date('2026-01-01T03:00:00Z'),
    endsAt: new Date('2026-01-01T05:00:00Z'),
  })
  const within = ['2026-01-01T03:00:00.000Z', '2026-01-01T04:00:00.000Z']
  expect(iso(nextTimes(bounded, new Date('2025-01-01T00:00:00Z'), 9))).toEqual(within)
  const upTo = new Date('2027-01-01T00:00:00Z')
  expect(iso(lastTimes(bounded, { since: new Date(0), upTo, count: 9 }))).toEqual(within)
  expect(iso(lastTimes(bounded, { since: new Date(0), upTo, count: 1 }))).toEqual(within.slice(1))
})

test.each([
  'nonsense',
  '* * * *',
  '61 * * * *',
  '*/0 * * * *',
  '@reboot',
  'every',
  'every 5 minutes',
  'every -5s',
  'every 0s',
  'every 99999999999999d',
  '2026-02-30T10:00:00Z',
  '2026-01-01T25:00:00Z',
  '2026-01-01',
])('%s is refused with a sentence', (expression) => {
  expect(() => parseExpression(expression)).toThrow(/expected|not a cron expression: \S/)
})

test('rare times are looked for within ten years, and one beyond', () => {
  const leapMondays = table('0 0 29 2 +1')
  expect(iso(nextTimes(leapMondays, new Date('2026-01-01T00:00:00Z'), 1000))).toEqual([
    '2044-02-29T00:00:00.000Z',
  ])
  expect(iso(nextTimes(leapMondays, new Date('2040-01-01T00:00:00Z'), 1000))).toEqual([
    '2044-02-29T00:00:00.000Z',
    '2072-02-29T00:00:00.000Z',
  ])
  expect(nextTimes(table('@yearly'), new Date('2026-01-01T00:00:00Z'), 1000)).toHaveLength(11)
})

test.each(['0 0 30 2 *', '0 0 31 4,6,9,11 *', '0 0 0 1 1 * 2020'])('%s never fires', (expression) => {
  expect(nextTime(table(expression), new Date('2026-01-01T00:00:00Z'))).toBeNull()
})

test.each([
  ['Europe/Berlin', true],
  ['UTC', true],
  ['Mars/Olympus', false],
  ['+02:00', false],
  ['', false],
])('%j as a zone: %s', (name, known) => {
  expect(isTimezone(name)).toBe(known)
})

const value = (min: number, max: number) => fc.integer({ min, max })
const list = (min: number, max: number) =>
  fc.uniqueArray(value(min, max), { minLength: 1, maxLength: 4 }).map((values) => values.join(','))
const range = (min: number, max: number) =>
  fc.tuple(value(min, max), value(min, max)).map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`)
const step = (max: number) => value(1, max).map((size) => `*/${size}`)
const part = (min: number, max: number) =>
  fc.oneof(
    fc.constant('*'),
    value(min, max).map(String),
    list(min, max),
    range(min, max),
    step(Math.min(max, 20)),
  )
const moment = fc.date({ min: new Date('2026-01-01'), max: new Date('2030-01-01'), noInvalidDate: true })

describe('over random expressions and zones', () => {
  const expressions = fc.oneof(
    fc.tuple(part(0, 59), part(0, 23), part(1, 31), part(1, 12), part(0, 7)).map((parts) => parts.join(' ')),
    fc.tuple(part(0, 59), part(0, 59), part(0, 23)).map((parts) => `${parts.join(' ')} * * *`),
    fc
      .tuple(value(0, 59), value(0, 23), value(0, 6), value(1, 5))
      .map(([m, h, d, nth]) => `${m} ${h} * * ${d}#${nth}`),
    fc
      .tuple(part(0, 59), part(0, 23), fc.constantFrom('L', '15W', 'LW', '1,L'))
      .map(([m, h, d]) => `${m} ${h} ${d} * *`),
    fc.constantFrom('@hourly', '@daily', '@weekly', '@monthly', '@yearly'),
  )

  test('the next times are those of croner', () => {
    fc.assert(
      fc.property(expressions, fc.constantFrom(...zones), moment, (expression, timezone, after) => {
        const cron = new Cron(expression, { timezone, paused: true, fixedTimeRule: 'no-wildcard' })
        const expected = cron.nextRuns(5, after)
        expect(iso(nextTimes(table(expression, { timezone }), after, 5))).toEqual(iso(expected))
      }),
      { numRuns: 150 },
    )
  })

  test('looking back finds the last of what looking forward gave', () => {
    const schedules = fc.tuple(fc.oneof(expressions, fc.constant('every 17m')), fc.constantFrom(...zones))
    fc.assert(
      fc.property(
        schedules,
        moment,
        fc.integer({ min: 1, max: 8 }),
        ([expression, timezone], since, count) => {
          const times = nextTimes(table(expression, { timezone }), since, 6)
          const upTo = times.at(-1)
          if (upTo === undefined) return
          const from = new Date(since.getTime() + 1)
          const found = lastTimes(table(expression, { timezone }), { since: from, upTo, count })
          expect(iso(found)).toEqual(iso(times.slice(-count)))
        },
      ),
      { numRuns: 150 },
    )
  })
})

/** Croner judged by the platform's calendar, minute by minute, around the changes of the clocks. */
test('on days when clocks change no time is left out or doubled', () => {
  const changes: [string, string][] = [
    ['Europe/Berlin', '2026-03-29'],
    ['Europe/Berlin', '2026-10-25'],
    ['America/New_York', '2026-03-08'],
    ['America/New_York', '2026-11-01'],
    ['Australia/Lord_Howe', '2026-04-05'],
    ['Australia/Lord_Howe', '2026-10-04'],
    ['Africa/Casablanca', '2026-02-15'],
    ['Africa/Casablanca', '2026-03-22'],
    ['America/Santiago', '2026-04-05'],
    ['America/Santiago', '2026-09-06'],
  ]
  const minutes = fc.oneof(list(0, 59), fc.constant('*/15'), fc.constant('*/20'))
  const hours = fc.oneof(list(0, 3), fc.constant('*'))
  fc.assert(
    fc.property(fc.constantFrom(...changes), minutes, hours, ([timezone, day], minute, hour) => {
      const from = new Date(Date.parse(`${day}T00:00:00Z`) - 20 * 60 * minuteMs)
      const until = new Date(from.getTime() + 44 * 60 * minuteMs)
      const found = nextTimes(table(`${minute} ${hour} * * *`, { timezone, endsAt: until }), from, 10_000)
      expect(iso(found)).toEqual(iso(expectedTimes(minute, hour, timezone, from, until)))
    }),
    { numRuns: 60 },
  )
})

/** By the rule itself: fixed times once a day, at the end of a gap when it swallows them; others in real time. */
function expectedTimes(minute: string, hour: string, timezone: string, from: Date, until: Date): Date[] {
  const isFixed = !`${minute} ${hour}`.includes('*')
  const matches = (wall: number) => {
    const at = new Date(wall)
    return includes(minute, at.getUTCMinutes()) && includes(hour, at.getUTCHours())
  }
  const times: Date[] = []
  let furthest = wallMs(from, timezone)
  for (let time = from.getTime() + minuteMs; time < until.getTime(); time += minuteMs) {
    const wall = wallMs(new Date(time), timezone)
    const swallowed =
      isFixed &&
      Array.from({ length: Math.max(0, (wall - furthest) / minuteMs - 1) }).some((_, index) =>
        matches(furthest + (index + 1) * minuteMs),
      )
    const isRepeated = wall <= furthest
    if (swallowed || (matches(wall) && !(isFixed && isRepeated))) times.push(new Date(time))
    furthest = Math.max(furthest, wall)
  }
  return times
}

function includes(part: string, number: number): boolean {
  if (part === '*') return true
  if (part.startsWith('*/')) return number % Number(part.slice(2)) === 0
  return part.split(',').map(Number).includes(number)
}
