import { expect, test } from 'vitest'
import { createSchedule, scheduleDefaults } from '../../../../core/schedules/create.ts'
import type { ScheduleSettings } from '../../../../core/schedules/row.ts'
import { testClock } from '../../../support/clock.ts'
import { testQueue } from '../../../support/queue.ts'

const clock = await testClock('2026-01-01T00:30:00Z')
const { sql } = clock
const paramsSchema = { type: 'object', properties: { to: { type: 'string' } } }
await testQueue(sql, { key: 'strict', paramsSchema })

async function create(settings: Partial<ScheduleSettings>, minPeriodSeconds = 1) {
  const name = `test ${crypto.randomUUID()}`
  const expression = '0 * * * *'
  const whole = { ...scheduleDefaults, definitionKey: 'strict', name, expression, ...settings }
  return await createSchedule(sql, whole, { minPeriodSeconds })
}

test('a schedule aims at its first time', async () => {
  expect(await create({ timezone: 'Asia/Kolkata', params: { to: 'Ada' } })).toMatchObject({
    source: 'api',
    nextFireAt: new Date('2026-01-01T01:30:00Z'),
    dueAt: new Date('2026-01-01T01:30:00Z'),
    params: { to: 'Ada' },
    lastFireAt: null,
  })
})

test('a disabled one aims at nothing', async () => {
  expect(await create({ enabled: false })).toMatchObject({ nextFireAt: null, dueAt: null })
})

test.each([
  ['an expression that is none', { expression: 'nonsense' }, 'expression', /not a cron expression/],
  ['an unknown zone', { timezone: 'Mars/Olympus' }, 'timezone', /IANA time zone such as/],
  ['30 February', { expression: '0 0 30 2 *' }, 'expression', /never fires/],
  ['a time that is over', { expression: '2025-12-31T00:00:00Z' }, 'expression', /never fires/],
  ['an end before the first time', { endsAt: new Date('2026-01-01T00:45:00Z') }, 'expression', /never fires/],
  ['a period under the minimum', { expression: 'every 500ms' }, 'expression', /0.5 s apart; at least 1 s/],
  ['jitter as long as the period', { expression: 'every 60s', jitterSeconds: 60 }, 'jitterSeconds', /60 s/],
  [
    'an end before the start',
    { startsAt: new Date('2026-03-01'), endsAt: new Date('2026-02-01') },
    'endsAt',
    /after startsAt/,
  ],
])('%s is refused, with the reason at its place', async (_what, settings, path, message) => {
  await expect(create(settings)).rejects.toMatchObject({
    code: 'invalid_schedule',
    issues: [{ path, message: expect.stringMatching(message) }],
  })
})

test('all that is wrong is said at once', async () => {
  await expect(create({ expression: 'nonsense', timezone: '' })).rejects.toMatchObject({
    issues: [{ path: 'expression' }, { path: 'timezone' }],
  })
})

test('two times that are close once a day are found by the minimum', async () => {
  await expect(create({ expression: '0,1 30 2 * * *' }, 60)).rejects.toMatchObject({
    code: 'invalid_schedule',
  })
  await expect(create({ expression: '30 30 2 * * *' }, 60)).resolves.toBeDefined()
})

test('a definition that is not there, and parameters that it refuses', async () => {
  await expect(create({ definitionKey: 'unknown' })).rejects.toMatchObject({ code: 'definition_not_found' })
  await expect(create({ definitionVersion: 2 })).rejects.toMatchObject({ code: 'definition_not_found' })
  await expect(create({ params: { to: 1 } })).rejects.toMatchObject({
    code: 'invalid_params',
    issues: [{ path: 'params.to' }],
  })
  await expect(create({ params: { to: 'a\0' } })).rejects.toMatchObject({ code: 'invalid_params' })
})

test('a name belongs to one', async () => {
  const { name } = await create({})
  await expect(create({ name })).rejects.toMatchObject({ code: 'schedule_name_taken' })
})
