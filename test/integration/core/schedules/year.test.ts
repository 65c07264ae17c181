/**
 * A year, lived in steps of up to a day each by the database's own clock: what a scheduler finds that looks seldom and
 * at odd times. Judged by the calendar of the platform. CHAOS_SEED repeats
 * the steps.
 */
import { expect, test } from 'vitest'
import { fireDue } from '../../../../core/schedules/fire-due.ts'
import { testClock } from '../../../support/clock.ts'
import { dice } from '../../../support/dice.ts'
import { testQueue } from '../../../support/queue.ts'
import { testSchedule } from '../../../support/schedules.ts'
import { daysBetween, wallOf } from '../../../support/wall-clock.ts'

const zones = [
  'Europe/Berlin',
  'America/New_York',
  'Australia/Lord_Howe',
  'Africa/Casablanca',
  'America/Santiago',
]
const start = Date.parse('2028-01-01T00:00:00Z')
const end = Date.parse('2029-01-01T00:00:00Z')
const hourMs = 3_600_000

const seed = Number(process.env.CHAOS_SEED ?? Date.now() % 1_000_000)
const clock = await testClock('2028-01-01T00:00:00Z')
const { sql } = clock
await testQueue(sql)

test(`a year of steps up to a day, seed ${seed}`, async () => {
  const random = dice(seed)
  const all = { catchUp: 'all', catchUpLimit: 1000 } as const
  const daily = await Promise.all(
    zones.map((timezone) => testSchedule(sql, { expression: '30 2 * * *', timezone, ...all })),
  )
  const leap = await testSchedule(sql, { expression: '0 12 29 2 *', ...all })
  const monthEnd = await testSchedule(sql, { expression: '0 18 L * *', timezone: 'Europe/Berlin', ...all })
  const interval = await testSchedule(sql, { expression: 'every 36h', ...all })

  for (let now = start; now < end; ) {
    now = Math.min(end, now + Math.ceil(random() * 24 * hourMs))
    await clock.set(new Date(now))
    await fireDue(sql)
  }

  for (const [index, schedule] of daily.entries()) {
    const timezone = zones[index] ?? ''
    const fires = await schedule.fires()
    expect(new Set(fires.map(({ outcome }) => outcome)), timezone).toEqual(new Set(['enqueued']))
    const walls = fires.map(({ fireAt }) => wallOf(fireAt, timezone))
    const [first, last] = [walls[0]?.date ?? '', walls.at(-1)?.date ?? '']
    expect(
      walls.map(({ date }) => date),
      timezone,
    ).toEqual([...daysBetween(first, last), last])
    expect(walls.length, timezone).toBeGreaterThanOrEqual(365)
    expect(walls.filter(({ clock: wall }) => wall !== '02:30:00').length, timezone).toBeLessThanOrEqual(1)
  }
  expect(await leap.outcomes()).toEqual(['2028-02-29T12:00 enqueued'])
  const monthEnds = (await monthEnd.fires()).map(({ fireAt }) => wallOf(fireAt, 'Europe/Berlin'))
  expect(monthEnds.map(({ date }) => date.slice(5))).toEqual(
    Array.from({ length: 12 }, (_, month) =>
      new Date(Date.UTC(2028, month + 1, 0)).toISOString().slice(5, 10),
    ),
  )
  expect(new Set(monthEnds.map(({ clock: wall }) => wall))).toEqual(new Set(['18:00:00']))
  expect(await interval.fires()).toHaveLength(Math.floor((end - start) / (36 * hourMs)))

  const [{ jobs, fires } = { jobs: 0, fires: -1 }] = await sql<{ jobs: number; fires: number }[]>`
    select
      (select count(*) from job_server.jobs)::int as jobs,
      (select count(distinct job_id) from job_server.schedule_fires)::int as fires`
  expect(jobs).toBe(fires)
})
