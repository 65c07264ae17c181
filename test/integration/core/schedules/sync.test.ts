import { beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import type { DefinitionRecord } from '../../../../core/definitions/discover.ts'
import { recordOf } from '../../../../core/definitions/discover.ts'
import { registerDefinitions } from '../../../../core/definitions/register.ts'
import { defineJob, type JobSchedule } from '../../../../core/job.ts'
import { fireDue } from '../../../../core/schedules/fire-due.ts'
import { listSchedules, readFires } from '../../../../core/schedules/read.ts'
import { pruneCodeSchedules, removeCodeSchedules } from '../../../../core/schedules/sync.ts'
import { updateSchedule } from '../../../../core/schedules/update.ts'
import { testClock } from '../../../support/clock.ts'
import { testSchedule } from '../../../support/schedules.ts'

const clock = await testClock('2026-01-01T00:30:00Z')
const { sql } = clock

beforeEach(async () => {
  await sql`
    truncate job_server.schedules, job_server.schedule_fires, job_server.definitions, job_server.jobs, job_server.workers`
  await clock.set('2026-01-01T00:30:00Z')
})

const params = z.object({ to: z.string().default('all') })

function defined(schedule?: string | JobSchedule, key = 'report'): DefinitionRecord {
  const definition = defineJob({ key, params, schedule, run: () => null })
  return recordOf(definition, { file: `/jobs/${key}.ts`, hooks: { file: null, names: [] } })
}

async function schedules() {
  return (await listSchedules(sql, { limit: 100, offset: 0 })).schedules
}

test('a definition brings its schedule along, and registering it again changes nothing', async () => {
  await registerDefinitions(sql, [defined('0 * * * *')])
  const made = await schedules()
  expect(made).toMatchObject([
    {
      name: 'report@1',
      source: 'code',
      definitionKey: 'report',
      definitionVersion: 1,
      expression: '0 * * * *',
      timezone: 'UTC',
      overlap: 'allow',
      catchUp: 'last',
      nextFireAt: new Date('2026-01-01T01:00:00Z'),
    },
  ])
  await clock.set('2026-01-01T03:30:00Z')
  await registerDefinitions(sql, [defined('0 * * * *')])
  // Its aim neither: what is due is still to be fired.
  expect(await schedules()).toEqual(made)
})

test('of many workers that start at once, all mean the same schedule', async () => {
  const definitions = [defined('0 * * * *'), defined('every 5m', 'other'), defined(undefined, 'none')]
  await Promise.all(Array.from({ length: 5 }, () => registerDefinitions(sql, definitions)))
  expect((await schedules()).map(({ name }) => name)).toEqual(['other@1', 'report@1'])
})

test('everything can be said of it', async () => {
  const whole = {
    expression: '30 2 * * *',
    timezone: 'Europe/Berlin',
    params: { to: 'Ada' },
    priority: 3,
    queue: 'nightly',
    jitterSeconds: 60,
    overlap: 'skip',
    catchUp: 'all',
    catchUpLimit: 5,
  } as const
  const startsAt = '2026-02-01T00:00:00Z'
  await registerDefinitions(sql, [defined({ ...whole, startsAt, endsAt: '2026-03-01T00:00:00+01:00' })])
  expect(await schedules()).toMatchObject([
    {
      ...whole,
      startsAt: new Date(startsAt),
      endsAt: new Date('2026-02-28T23:00:00Z'),
      nextFireAt: new Date('2026-02-01T01:30:00Z'),
    },
  ])
})

test('changed code changes it: with other times it goes on from now, otherwise from where it was', async () => {
  await registerDefinitions(sql, [defined('every 60m')])
  await clock.set('2026-01-01T01:45:00Z')
  await registerDefinitions(sql, [defined({ expression: 'every 60m', params: { to: 'Ada' } })])
  expect(await schedules()).toMatchObject([
    { params: { to: 'Ada' }, nextFireAt: new Date('2026-01-01T01:30:00Z') },
  ])
  await registerDefinitions(sql, [defined('every 10m')])
  expect(await schedules()).toMatchObject([
    { expression: 'every 10m', nextFireAt: new Date('2026-01-01T01:55:00Z') },
  ])
  await clock.set('2026-01-01T01:55:00Z')
  expect(await fireDue(sql)).toMatchObject({ enqueued: 1, missed: 0 })
})

test('what was switched off by hand stays so, whatever the code says', async () => {
  await registerDefinitions(sql, [defined('0 * * * *')])
  const [made] = await schedules()
  await updateSchedule(sql, made?.id ?? '', { enabled: false }, { minPeriodSeconds: 1 })
  await registerDefinitions(sql, [defined('30 * * * *')])
  expect(await schedules()).toMatchObject([{ expression: '30 * * * *', enabled: false, nextFireAt: null }])
})

/** A worker that lives and whose code has these schedules. */
async function alive(...names: string[]): Promise<void> {
  const info = { definitions: ['report@1'], schedules: names }
  await sql`
    insert into job_server.workers (id, kind, slots, heartbeat_at, info) values ('w', 'worker', 1, now(), ${sql.json(info)})
    on conflict on constraint workers_pk do update set heartbeat_at = now(), info = excluded.info`
}

test('a worker of older code that starts beside one whose code has the schedule stops nothing', async () => {
  await registerDefinitions(sql, [defined('0 * * * *')])
  await registerDefinitions(sql, [defined()])
  await clock.set('2026-01-01T01:00:00Z')
  await alive('report@1')
  expect(await fireDue(sql)).toMatchObject({ enqueued: 1, skipped: 0 })
  expect(await schedules()).toMatchObject([{ nextFireAt: new Date('2026-01-01T02:00:00Z') }])
})

test('one that has just registered its schedule need not have said yet that it lives', async () => {
  await registerDefinitions(sql, [defined('0 * * * *')])
  await clock.set('2026-01-01T00:59:50Z')
  await registerDefinitions(sql, [defined()])
  await clock.set('2026-01-01T01:00:00Z')
  expect(await fireDue(sql)).toMatchObject({ enqueued: 1, skipped: 0 })
})

test('when the code of no worker has it any more it rests, and says why', async () => {
  await registerDefinitions(sql, [defined('0 * * * *'), defined('0 * * * *', 'kept')])
  await registerDefinitions(sql, [defined()])
  await alive()
  await clock.set('2026-01-01T01:00:00Z')
  await alive()
  expect(await fireDue(sql)).toMatchObject({ enqueued: 1, skipped: 1 })
  const [kept, report] = await schedules()
  expect(kept).toMatchObject({ name: 'kept@1', nextFireAt: new Date('2026-01-01T02:00:00Z') })
  expect(report).toMatchObject({
    name: 'report@1',
    enabled: true,
    nextFireAt: new Date('2026-01-01T02:00:00Z'),
  })
  await clock.set('2026-01-01T05:00:00Z')
  await alive()
  expect(await fireDue(sql)).toMatchObject({ enqueued: 1, skipped: 0, missed: 1 })
  // Once, however long it rests.
  expect(await readFires(sql, report?.id ?? '', { limit: 10 })).toMatchObject([
    {
      fireAt: new Date('2026-01-01T01:00:00Z'),
      outcome: 'skipped',
      reason: expect.stringContaining('no worker has it'),
    },
  ])

  // The next release has it again: it goes on from now, as the same.
  await clock.set('2026-01-01T05:30:00Z')
  await registerDefinitions(sql, [defined('0 * * * *')])
  expect((await schedules())[1]).toMatchObject({
    id: report?.id,
    nextFireAt: new Date('2026-01-01T06:00:00Z'),
  })
  await clock.set('2026-01-01T06:00:00Z')
  expect(await fireDue(sql)).toMatchObject({ enqueued: 2, skipped: 0, missed: 0 })

  // It rests again, which is said again.
  await registerDefinitions(sql, [defined()])
  await clock.set('2026-01-01T07:00:00Z')
  await alive()
  expect(await fireDue(sql)).toMatchObject({ enqueued: 1, skipped: 1 })
})

test('a worker of the version before, which does not say what schedules it has, keeps that of its definition going', async () => {
  await registerDefinitions(sql, [defined('0 * * * *')])
  await registerDefinitions(sql, [defined()])
  await clock.set('2026-01-01T01:00:00Z')
  await alive()
  expect(await fireDue(sql)).toMatchObject({ enqueued: 0, skipped: 1 })
  // It writes down what differs, and nothing does.
  await clock.set('2026-01-01T02:00:00Z')
  await sql`
    update job_server.workers set heartbeat_at = now(), info = ${sql.json({ definitions: ['other@1'] })}`
  expect(await fireDue(sql)).toMatchObject({ enqueued: 0 })
  await clock.set('2026-01-01T03:00:00Z')
  await sql`
    update job_server.workers set heartbeat_at = now(), info = ${sql.json({ definitions: ['report@1'] })}`
  expect(await fireDue(sql)).toMatchObject({ enqueued: 1, skipped: 0 })
})

test('what was switched off by hand stays so when a release is taken back and comes again', async () => {
  await registerDefinitions(sql, [defined('0 * * * *')])
  const [made] = await schedules()
  await updateSchedule(sql, made?.id ?? '', { enabled: false }, { minPeriodSeconds: 1 })
  await registerDefinitions(sql, [defined()])
  await clock.set('2026-01-01T05:30:00Z')
  await fireDue(sql)
  await registerDefinitions(sql, [defined('0 * * * *')])
  expect(await schedules()).toMatchObject([{ id: made?.id, enabled: false, nextFireAt: null }])
})

test('those of definitions that were seen to go are removed, and those of others stay', async () => {
  await registerDefinitions(sql, [defined('0 * * * *'), defined('0 * * * *', 'kept')])
  expect(await removeCodeSchedules(sql, [{ key: 'kept', version: 2 }])).toBe(0)
  expect(await removeCodeSchedules(sql, [{ key: 'report', version: 1 }])).toBe(1)
  expect((await schedules()).map(({ name }) => name)).toEqual(['kept@1'])
})

test('who knows all definitions can remove the schedules of others, but none of the API', async () => {
  await registerDefinitions(sql, [defined('0 * * * *'), defined('0 * * * *', 'gone')])
  await testSchedule(sql, { name: 'by hand', definitionKey: 'gone', expression: '@daily' })
  expect(await pruneCodeSchedules(sql, [defined('0 * * * *')])).toEqual(['gone@1'])
  expect((await schedules()).map(({ name }) => name)).toEqual(['by hand', 'report@1'])
  expect(await pruneCodeSchedules(sql, [defined()])).toEqual(['report@1'])
})

test('a one-shot that is over stays over', async () => {
  await registerDefinitions(sql, [defined('2026-01-01T01:00:00Z')])
  await clock.set('2026-01-01T02:00:00Z')
  expect(await fireDue(sql)).toMatchObject({ enqueued: 1 })
  await registerDefinitions(sql, [defined('2026-01-01T01:00:00Z')])
  expect(await schedules()).toMatchObject([{ nextFireAt: null }])
  expect(await fireDue(sql)).toMatchObject({ enqueued: 0 })
})

test.each([
  ['nonsense', /schedule\.expression: not a cron expression/],
  ['0 0 30 2 *', /schedule\.expression: it never fires/],
  [{ expression: '@daily', timezone: 'Mars/Olympus' }, /schedule\.timezone: expected an IANA time zone/],
  [{ expression: '@daily', params: { to: 1 } }, /schedule\.params\.to: /],
  [{ expression: '@daily', overlap: 'maybe' } as unknown as JobSchedule, /schedule\.overlap: /],
  [{ cron: '@daily' } as unknown as JobSchedule, /schedule/],
])('a definition with the schedule %j is refused', (schedule, message) => {
  expect(() => defined(schedule)).toThrow(message)
})
