import { beforeEach, expect, test } from 'vitest'
import { lead, resign } from '../../../../core/schedules/lead.ts'
import { testClock } from '../../../support/clock.ts'
import { testQueue } from '../../../support/queue.ts'
import { testSchedule } from '../../../support/schedules.ts'

const clock = await testClock('2026-01-01T00:00:00Z')
const { sql } = clock
await testQueue(sql)

const epochOf = async (holder: string) => (await lead(sql, holder, { leaseSeconds: 6, duties: [] })).epoch

beforeEach(async () => {
  await sql`truncate job_server.leases, job_server.schedules cascade`
  await clock.set('2026-01-01T00:00:00Z')
})

test('one of many leads', async () => {
  const epochs = await Promise.all(['a', 'b', 'c', 'd'].map(epochOf))
  expect(epochs.filter((epoch) => epoch !== null)).toEqual(['1'])
})

test('it goes on while it renews, and another takes over when it has been silent', async () => {
  expect(await epochOf('a')).toBe('1')
  await clock.set('2026-01-01T00:00:05Z')
  expect(await epochOf('a')).toBe('1')
  expect(await epochOf('b')).toBeNull()
  await clock.set('2026-01-01T00:00:11Z')
  expect(await epochOf('b')).toBeNull()
  await clock.set('2026-01-01T00:00:11.001Z')
  expect(await epochOf('b')).toBe('2')
  expect(await epochOf('a')).toBeNull()
})

test('who resigns makes way at once, and only who leads can', async () => {
  await epochOf('a')
  await resign(sql, 'b')
  expect(await epochOf('b')).toBeNull()
  await resign(sql, 'a')
  await clock.set('2026-01-01T00:00:00.001Z')
  expect(await epochOf('b')).toBe('2')
})

test('a leader learns how long it is until the next schedule is due, by the clock of the database', async () => {
  const look = () => lead(sql, 'a', { leaseSeconds: 6, duties: [] })
  expect(await look()).toMatchObject({ nextDueInSeconds: null, nextDutyInSeconds: null })
  await testSchedule(sql, { expression: '0 5 * * *' })
  await testSchedule(sql, { expression: '0 3 * * *' })
  await testSchedule(sql, { expression: '0 1 * * *', enabled: false })
  expect(await look()).toMatchObject({ nextDueInSeconds: 3 * 3600 })
  await clock.set('2026-01-01T03:00:01Z')
  expect(await look()).toMatchObject({ nextDueInSeconds: -1 })
})
