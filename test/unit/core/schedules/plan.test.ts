import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Due, planFires } from '../../../../core/schedules/plan.ts'
import { catchUpPolicies } from '../../../../core/schedules/row.ts'
import { lastTimes, nextTime } from '../../../../core/schedules/timetable.ts'

const madeAt = new Date('2026-01-01T00:00:00Z')

function hourly(overrides: Partial<Due> = {}): Due {
  return {
    id: '01990000-0000-7000-8000-000000000000',
    expression: '0 * * * *',
    timezone: 'UTC',
    startsAt: null,
    endsAt: null,
    createdAt: madeAt,
    jitterSeconds: 0,
    catchUp: 'last',
    catchUpLimit: 100,
    nextFireAt: new Date('2026-01-01T01:00:00Z'),
    ...overrides,
  }
}

const hours = (times: Date[]) => times.map((time) => time.getUTCHours())
const at = (clock: string) => new Date(`2026-01-01T${clock}Z`)

test.each(catchUpPolicies)('in time, %s makes no difference', (catchUp) => {
  const plan = planFires(hourly({ catchUp }), at('01:00:00.004'))
  expect(plan).toEqual({ fires: [at('01:00:00')], missed: null, next: at('02:00:00') })
})

test.each([
  ['last', 100, [5], [1, 4, 4]],
  ['all', 100, [1, 2, 3, 4, 5], null],
  ['all', 2, [4, 5], [1, 3, 3]],
  ['none', 100, [], [1, 5, 5]],
] as const)(
  'after five hours, %s (at most %i) fires %j and misses %j',
  (catchUp, catchUpLimit, fired, missed) => {
    const plan = planFires(hourly({ catchUp, catchUpLimit }), at('05:30:00'))
    expect(hours(plan.fires)).toEqual(fired)
    expect(plan.next).toEqual(at('06:00:00'))
    const span = plan.missed && [...hours([plan.missed.from, plan.missed.through]), plan.missed.times]
    expect(span).toEqual(missed)
  },
)

test('none fires the latest when it is hardly late: a tick comes once a minute only', () => {
  const plan = planFires(hourly({ catchUp: 'none' }), at('05:01:59'))
  expect(hours(plan.fires)).toEqual([5])
  expect(plan.missed).toMatchObject({ times: 4 })
})

test('what is missed by the thousand is not counted to its end', () => {
  const plan = planFires(
    hourly({ expression: '* * * * * *', nextFireAt: at('01:00:00') }),
    new Date('2026-03-01T00:00:00Z'),
  )
  expect(plan.missed).toMatchObject({ times: null, from: at('01:00:00') })
  expect(plan.fires).toEqual([new Date('2026-03-01T00:00:00Z')])
})

test('many to catch up are spread over passes, and none is lost', () => {
  const now = new Date('2026-01-20T00:00:00Z')
  const schedule = hourly({ catchUp: 'all', catchUpLimit: 50 })
  const fired: Date[] = []
  const missed: unknown[] = []
  let next: Date | null = schedule.nextFireAt
  while (next !== null && next <= now) {
    const plan = planFires({ ...schedule, nextFireAt: next }, now)
    expect(plan.fires.length).toBeLessThanOrEqual(20)
    fired.push(...plan.fires)
    missed.push(plan.missed)
    next = plan.next
  }
  expect(fired).toEqual(lastTimes(schedule, { since: schedule.nextFireAt, upTo: now, count: 50 }))
  expect(missed.map((span) => span === null)).toEqual([false, true, true])
})

test('a time whose jitter is not over waits, and those before it do not', () => {
  const jittery = hourly({ jitterSeconds: 3000, catchUp: 'all' })
  const plan = planFires(jittery, at('03:00:00.001'))
  expect(hours(plan.fires)).toEqual([1, 2])
  expect(plan.next).toEqual(at('03:00:00'))
})

test('when the rules of the zone have changed, a time that is none any more does not fire', () => {
  const plan = planFires(hourly({ nextFireAt: at('01:30:00') }), at('01:30:01'))
  expect(plan).toEqual({ fires: [], missed: null, next: at('02:00:00') })
})

test('whatever the policy, no time is passed over without a word', () => {
  const expressions = fc.constantFrom('0 * * * *', '*/7 * * * *', '30 2 * * *', 'every 11m', '0 0 L * *')
  fc.assert(
    fc.property(
      expressions,
      fc.constantFrom(...catchUpPolicies),
      fc.integer({ min: 1, max: 30 }),
      fc.integer({ min: 0, max: 20_000_000 }),
      fc.constantFrom(0, 200),
      (expression, catchUp, catchUpLimit, lateMs, jitterSeconds) => {
        const base = hourly({ expression, catchUp, catchUpLimit, jitterSeconds })
        const nextFireAt = nextTime(base, madeAt)
        if (nextFireAt === null) throw new Error('no first time')
        const now = new Date(nextFireAt.getTime() + jitterSeconds * 1000 + lateMs)
        const { fires, missed, next } = planFires({ ...base, nextFireAt }, now)
        // One after another: what was missed, what fires, what comes next.
        const spoken = [
          ...(missed === null ? [] : [missed.from, missed.through]),
          ...fires,
          ...(next === null ? [] : [next]),
        ]
        expect(spoken[0]).toEqual(nextFireAt)
        const [firstAfterMissed] = [...fires, next]
        if (missed !== null) expect(nextTime(base, missed.through)).toEqual(firstAfterMissed)
        for (const [index, time] of fires.entries()) {
          expect(nextTime(base, time)).toEqual(fires[index + 1] ?? next)
        }
      },
    ),
    { numRuns: 150 },
  )
})
