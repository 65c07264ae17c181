import { beforeEach, expect, test } from 'vitest'
import { fireDue } from '../../../../core/schedules/fire-due.ts'
import type { ScheduleSettings } from '../../../../core/schedules/row.ts'
import { updateSchedule } from '../../../../core/schedules/update.ts'
import { testClock } from '../../../support/clock.ts'
import { waitsForLock } from '../../../support/database.ts'
import { testQueue } from '../../../support/queue.ts'
import { testSchedule } from '../../../support/schedules.ts'

const clock = await testClock('2026-01-01T00:30:00Z')
const { sql } = clock
await testQueue(sql)

const update = (id: string, changes: Partial<ScheduleSettings>) =>
  updateSchedule(sql, id, changes, { minPeriodSeconds: 1 })

beforeEach(() => clock.set('2026-01-01T00:30:00Z'))

test('another expression makes it go on from now, without making up for the old one', async () => {
  const hourly = await testSchedule(sql, { expression: '0 * * * *' })
  await clock.set('2026-01-01T03:10:00Z')
  expect(await update(hourly.id, { expression: '15 * * * *' })).toMatchObject({
    expression: '15 * * * *',
    nextFireAt: new Date('2026-01-01T03:15:00Z'),
  })
  await fireDue(sql)
  expect(await hourly.outcomes()).toEqual([])
})

test('what does not concern its times leaves its aim alone', async () => {
  const hourly = await testSchedule(sql, { expression: '0 * * * *' })
  await clock.set('2026-01-01T03:10:00Z')
  expect(
    await update(hourly.id, { params: { a: 1 }, priority: 3, queue: 'x', overlap: 'skip' }),
  ).toMatchObject({
    params: { a: 1 },
    priority: 3,
    queue: 'x',
    nextFireAt: new Date('2026-01-01T01:00:00Z'),
  })
})

test('disabled it rests, and enabled again it makes up for nothing', async () => {
  const hourly = await testSchedule(sql, { expression: '0 * * * *', catchUp: 'all' })
  expect(await update(hourly.id, { enabled: false })).toMatchObject({ nextFireAt: null })
  await clock.set('2026-01-01T03:10:00Z')
  await fireDue(sql)
  expect(await update(hourly.id, { enabled: true })).toMatchObject({
    nextFireAt: new Date('2026-01-01T04:00:00Z'),
  })
  expect(await hourly.outcomes()).toEqual([])
})

test('it is held to the same rules as a new one', async () => {
  const hourly = await testSchedule(sql, { expression: '0 * * * *' })
  const other = await testSchedule(sql, { expression: '0 * * * *' })
  const { name } = await other.read()
  await expect(update(hourly.id, { expression: '0 0 30 2 *' })).rejects.toMatchObject({
    code: 'invalid_schedule',
  })
  await expect(update(hourly.id, { definitionKey: 'x' })).rejects.toMatchObject({
    code: 'definition_not_found',
  })
  await expect(update(hourly.id, { name })).rejects.toMatchObject({ code: 'schedule_name_taken' })
  await expect(update(crypto.randomUUID(), {})).rejects.toMatchObject({ code: 'schedule_not_found' })
})

test('a schedule that is done can still be renamed', async () => {
  const once = await testSchedule(sql, { expression: '2026-01-01T01:00:00Z' })
  await clock.set('2026-01-01T02:00:00Z')
  await fireDue(sql)
  expect(await update(once.id, { priority: 1 })).toMatchObject({ priority: 1, nextFireAt: null })
})

test('of one that is defined in code only being enabled can be changed', async () => {
  const { id } = await testSchedule(sql, { expression: '0 * * * *' })
  await sql`update job_server.schedules set source = 'code' where id = ${id}`
  await expect(update(id, { priority: 1 })).rejects.toMatchObject({ code: 'schedule_defined_in_code' })
  expect(await update(id, { enabled: false })).toMatchObject({ enabled: false, nextFireAt: null })
})

test('a change waits for a fire that is under way, and goes on from after it', async () => {
  const hourly = await testSchedule(sql, { expression: '0 * * * *' })
  await clock.set('2026-01-01T01:00:00Z')
  const table = await sql.reserve()
  await table`begin`
  await table`lock table job_server.jobs in exclusive mode`
  const firing = fireDue(sql)
  await waitsForLock(sql)
  const changing = update(hourly.id, { priority: 9 })
  await table`commit`
  table.release()
  await firing
  expect(await changing).toMatchObject({ priority: 9, nextFireAt: new Date('2026-01-01T02:00:00Z') })
})
