import { beforeEach, expect, test } from 'vitest'
import { openPool } from '../../../../core/db.ts'
import { finish } from '../../../../core/queue/finish.ts'
import { readJob } from '../../../../core/queue/read.ts'
import { fireDue } from '../../../../core/schedules/fire-due.ts'
import { runNow } from '../../../../core/schedules/run-now.ts'
import { testClock } from '../../../support/clock.ts'
import { waitsForLock } from '../../../support/database.ts'
import { openLine } from '../../../support/line.ts'
import { testQueue } from '../../../support/queue.ts'
import { testSchedule } from '../../../support/schedules.ts'

const clock = await testClock('2026-01-01T00:30:00Z')
const { sql } = clock
const strictSchema = { type: 'object', properties: { to: { type: 'string' } }, required: ['to'] }
const queue = await testQueue(sql, {}, { key: 'strict', paramsSchema: strictSchema })

const nothing = { enqueued: 0, skipped: 0, missed: 0, failed: 0, errors: [] }

beforeEach(async () => {
  await sql`truncate job_server.schedules, job_server.schedule_fires, job_server.jobs`
  await clock.set('2026-01-01T00:30:00Z')
})

async function jobIds(): Promise<string[]> {
  const rows = await sql<{ id: string }[]>`select id from job_server.jobs order by id`
  return rows.map(({ id }) => id)
}

async function endJobs(): Promise<void> {
  for (const { lease } of await queue.claim({ limit: 100 })) {
    await finish(sql, [{ lease, end: { kind: 'succeeded', result: null } }])
  }
}

test('a schedule fires when its time has come, not before, and once', async () => {
  const hourly = await testSchedule(sql, {
    expression: '0 * * * *',
    params: { a: 1 },
    priority: 7,
    queue: 'nightly',
  })
  await clock.set('2026-01-01T00:59:59.999Z')
  expect(await fireDue(sql)).toEqual(nothing)
  await clock.set('2026-01-01T01:00:00Z')
  expect(await fireDue(sql)).toEqual({ ...nothing, enqueued: 1 })
  expect(await fireDue(sql)).toEqual(nothing)

  const [fire] = await hourly.fires()
  expect(fire).toMatchObject({ fireAt: new Date('2026-01-01T01:00:00Z'), outcome: 'enqueued', manual: false })
  expect(await readJob(sql, fire?.jobId ?? '')).toMatchObject({
    definitionKey: 'test',
    params: { a: 1 },
    priority: 7,
    queue: 'nightly',
    status: 'queued',
  })
  expect(await hourly.read()).toMatchObject({
    nextFireAt: new Date('2026-01-01T02:00:00Z'),
    lastFireAt: new Date('2026-01-01T01:00:00Z'),
    lastJobId: fire?.jobId,
  })
})

test('of many who fire at once, each time is fired by one', async () => {
  const schedules = await Promise.all(
    Array.from({ length: 150 }, () => testSchedule(sql, { expression: '0 * * * *' })),
  )
  await clock.set('2026-01-01T01:00:00Z')
  const fired = await Promise.all(Array.from({ length: 5 }, () => fireDue(sql)))
  expect(fired.reduce((sum, { enqueued }) => sum + enqueued, 0)).toBe(150)
  expect(await jobIds()).toHaveLength(150)
  for (const schedule of schedules) expect(await schedule.outcomes()).toEqual(['2026-01-01T01:00 enqueued'])
})

test('one who fires passes by what another is at', async () => {
  const hourly = await testSchedule(sql, { expression: '0 * * * *' })
  await clock.set('2026-01-01T01:00:00Z')
  const table = await sql.reserve()
  await table`begin`
  await table`lock table job_server.jobs in exclusive mode`
  const first = fireDue(sql)
  await waitsForLock(sql)
  const deadline = Bun.sleep(60_000).then(() => 'it waits, too')
  const second = await Promise.race([fireDue(sql), deadline])
  await table`commit`
  table.release()
  expect(second).toEqual(nothing)
  expect(await first).toEqual({ ...nothing, enqueued: 1 })
  expect(await hourly.outcomes()).toEqual(['2026-01-01T01:00 enqueued'])
})

test('a schedule that is aimed at a recorded time again does not fire it twice', async () => {
  const [hourly, other] = [
    await testSchedule(sql, { expression: '0 * * * *' }),
    await testSchedule(sql, { expression: '0 * * * *' }),
  ]
  await clock.set('2026-01-01T01:00:00Z')
  await fireDue(sql)
  await sql`update job_server.schedules set next_fire_at = '2026-01-01T01:00Z', due_at = '2026-01-01T01:00Z' where id = ${hourly.id}`
  await clock.set('2026-01-01T01:30:00Z')
  expect(await fireDue(sql)).toEqual(nothing)
  expect(await jobIds()).toHaveLength(2)
  expect((await hourly.read()).nextFireAt).toEqual(new Date('2026-01-01T02:00:00Z'))

  // In one batch with others, these fire all the same.
  await clock.set('2026-01-01T02:00:00Z')
  await fireDue(sql)
  await sql`update job_server.schedules set next_fire_at = '2026-01-01T02:00Z', due_at = '2026-01-01T02:00Z' where id = ${hourly.id}`
  await sql`update job_server.schedules set expression = '30 * * * *', next_fire_at = '2026-01-01T02:30Z', due_at = '2026-01-01T02:30Z' where id = ${other.id}`
  await clock.set('2026-01-01T02:30:00Z')
  expect(await fireDue(sql)).toEqual({ ...nothing, enqueued: 1 })
  expect(await jobIds()).toHaveLength(5)
})

test('what a schedule can not have is recorded, and the others go on', async () => {
  const good = await testSchedule(sql, { expression: '0 * * * *' })
  const orphan = await testSchedule(sql, { expression: '0 * * * *' })
  const refused = await testSchedule(sql, {
    expression: '0 * * * *',
    definitionKey: 'strict',
    params: { to: 'Ada' },
  })
  const broken = await testSchedule(sql, { expression: '0 * * * *' })
  await sql`update job_server.schedules set definition_key = 'removed' where id = ${orphan.id}`
  await sql`update job_server.schedules set params = '{}' where id = ${refused.id}`
  await sql`update job_server.schedules set timezone = 'Mars/Olympus' where id = ${broken.id}`

  await clock.set('2026-01-01T01:00:00Z')
  const { errors, ...counts } = await fireDue(sql)
  expect(counts).toEqual({ enqueued: 1, skipped: 0, missed: 0, failed: 3 })
  expect(errors).toMatchObject([{ schedule: (await broken.read()).name }])
  expect(await good.outcomes()).toEqual(['2026-01-01T01:00 enqueued'])
  const reasons = await Promise.all(
    [orphan, refused, broken].map(async ({ fires }) => (await fires())[0]?.reason),
  )
  expect(reasons[0]).toBe('No definition "removed" version 1 is registered.')
  expect(reasons[1]).toMatch(/^The parameters are not what "strict" takes\. params\.to: /)
  expect(reasons[2]).toMatch(/next time can not be computed/)
  expect(await jobIds()).toHaveLength(1)

  // The next time is tried again; only what has none stands still.
  expect((await orphan.read()).nextFireAt).toEqual(new Date('2026-01-01T02:00:00Z'))
  expect((await broken.read()).nextFireAt).toBeNull()
})

test('a schedule whose job meets what an open transaction holds stays due, and the others go on', async () => {
  const held = await testSchedule(sql, { expression: '0 * * * *', queue: 'new' })
  const free = await testSchedule(sql, { expression: '0 * * * *' })
  await clock.set('2026-01-01T01:00:00Z')
  await sql.begin(async (tx) => {
    await tx`insert into job_server.lanes (queue, definition_key, definition_version) values ('new', 'test', 1)`
    expect(await fireDue(sql)).toEqual({ ...nothing, enqueued: 1 })
  })
  expect(await free.outcomes()).toEqual(['2026-01-01T01:00 enqueued'])
  expect(await held.outcomes()).toEqual([])
  expect(await fireDue(sql)).toEqual({ ...nothing, enqueued: 1 })
  expect(await held.outcomes()).toEqual(['2026-01-01T01:00 enqueued'])
})

test('however many schedules need what somebody holds, one behind them fires in time', async () => {
  // More than one pass takes, and half a minute if half a second were waited for each.
  const held = 60
  for (let n = 0; n < held; n++) await testSchedule(sql, { expression: '0 * * * *', queue: 'held' })
  const free = await testSchedule(sql, { expression: '1 * * * *' })
  await clock.set('2026-01-01T01:01:00Z')
  await sql.begin(async (tx) => {
    await tx`insert into job_server.lanes (queue, definition_key, definition_version) values ('held', 'test', 1)`
    const startedAt = performance.now()
    expect(await fireDue(sql)).toEqual({ ...nothing, enqueued: 1 })
    expect(performance.now() - startedAt).toBeLessThan(15_000)
  })
  expect(await free.outcomes()).toEqual(['2026-01-01T01:01 enqueued'])
  expect(await fireDue(sql)).toEqual({ ...nothing, enqueued: held })
})

test('who is told to stop leaves what is due to the next', async () => {
  await testSchedule(sql, { expression: '0 * * * *' })
  await clock.set('2026-01-01T01:00:00Z')
  expect(await fireDue(sql, { signal: AbortSignal.abort() })).toEqual(nothing)
  expect(await fireDue(sql)).toEqual({ ...nothing, enqueued: 1 })
})

test('a job that is beyond a limit of PostgreSQL is refused like any other, and the schedule goes on', async () => {
  await sql`
    create function public.exceed_limit() returns trigger language plpgsql
    as $$ begin raise exception 'too large' using errcode = 'program_limit_exceeded'; end $$`
  await sql`
    create trigger exceed_limit before insert on job_server.jobs
    for each row when (new.queue = 'large') execute function public.exceed_limit()`
  const large = await testSchedule(sql, { expression: '0 * * * *', queue: 'large' })
  const good = await testSchedule(sql, { expression: '0 * * * *' })
  await clock.set('2026-01-01T01:00:00Z')
  const { errors, ...counts } = await fireDue(sql)
  expect(counts).toEqual({ enqueued: 1, skipped: 0, missed: 0, failed: 1 })
  expect(errors).toMatchObject([{ error: { code: '54000' } }])
  expect(await good.outcomes()).toEqual(['2026-01-01T01:00 enqueued'])
  expect(await large.outcomes()).toEqual(['2026-01-01T01:00 failed'])
  expect((await large.read()).nextFireAt).toEqual(new Date('2026-01-01T02:00:00Z'))
  await sql`drop function public.exceed_limit cascade`
})

test('a transaction that stands still is ended though one of its jobs was refused before', async () => {
  await sql`
    create function public.refuse_or_stand() returns trigger language plpgsql as $$
    begin
      if tg_table_name = 'jobs' then raise exception 'too large' using errcode = 'program_limit_exceeded'; end if;
      perform pg_sleep(30);
      return new;
    end $$`
  await sql`
    create trigger refuse before insert on job_server.jobs
    for each row when (new.queue = 'large') execute function public.refuse_or_stand()`
  await sql`
    create trigger stand before update on job_server.schedules for each row execute function public.refuse_or_stand()`
  await testSchedule(sql, { expression: '0 * * * *', queue: 'large' })
  await clock.set('2026-01-01T01:00:00Z')
  // Of its own: it loses its connection.
  const ended = openPool({ DATABASE_URL: clock.url, DATABASE_POOL_SIZE: 1 }, 'test ended')
  const startedAt = performance.now()
  await expect(fireDue(ended)).rejects.toThrow()
  expect(performance.now() - startedAt).toBeLessThan(25_000)
  await ended.end({ timeout: 5 })
  await sql`drop function public.refuse_or_stand cascade`
})

test('one that is refused among many that catch up takes no statement for each of their times', async () => {
  const line = await openLine(clock.url)
  const byLine = openPool({ DATABASE_URL: line.url, DATABASE_POOL_SIZE: 1 }, 'test')
  const schedules = await Promise.all(
    Array.from({ length: 10 }, (_, place) =>
      testSchedule(sql, {
        expression: '0 * * * *',
        catchUp: 'all',
        ...(place === 5 ? { definitionKey: 'strict', params: { to: 'somebody' } } : {}),
      }),
    ),
  )
  const [, , , , , refused] = schedules
  await sql`update job_server.schedules set params = '{"to": 5}' where id = ${refused?.id ?? ''}`
  await clock.set('2026-01-01T20:30:00Z')
  const before = line.statements()
  expect(await fireDue(byLine)).toEqual({ ...nothing, enqueued: 180, failed: 20 })
  expect(line.statements() - before).toBeLessThan(150)
  expect((await refused?.fires())?.map(({ outcome }) => outcome)).toEqual(Array(20).fill('failed'))
  await byLine.end()
})

test('a transaction that fails for another reason changes nothing, and is made up for', async () => {
  const hourly = await testSchedule(sql, { expression: '0 * * * *' })
  await clock.set('2026-01-01T01:00:00Z')
  await sql`alter table job_server.events rename to events_away`
  await expect(fireDue(sql)).rejects.toThrow()
  await sql`alter table job_server.events_away rename to events`
  expect(await hourly.outcomes()).toEqual([])
  expect(await fireDue(sql)).toEqual({ ...nothing, enqueued: 1 })
})

test('a one-shot fires once and is done', async () => {
  const once = await testSchedule(sql, { expression: '2026-01-01T02:00', timezone: 'Europe/Berlin' })
  await clock.set('2026-01-01T05:00:00Z')
  expect(await fireDue(sql)).toEqual({ ...nothing, enqueued: 1 })
  expect(await once.outcomes()).toEqual(['2026-01-01T01:00 enqueued'])
  expect(await once.read()).toMatchObject({ nextFireAt: null, enabled: true })
})

test('jitter delays the fire, not its time', async () => {
  const hourly = await testSchedule(sql, { expression: '0 * * * *', jitterSeconds: 1800 })
  const { dueAt } = await hourly.read()
  if (dueAt === null) throw new Error('nothing is due')
  expect(dueAt > new Date('2026-01-01T01:00:00Z')).toBe(true)
  await clock.set(new Date(dueAt.getTime() - 1))
  expect(await fireDue(sql)).toEqual(nothing)
  await clock.set(dueAt)
  expect(await fireDue(sql)).toEqual({ ...nothing, enqueued: 1 })
  expect(await hourly.outcomes()).toEqual(['2026-01-01T01:00 enqueued'])
})

test('overlap allow: another job each time', async () => {
  await testSchedule(sql, { expression: '0 * * * *', overlap: 'allow' })
  for (const hour of ['01', '02', '03']) {
    await clock.set(`2026-01-01T${hour}:00:00Z`)
    await fireDue(sql)
  }
  expect(await jobIds()).toHaveLength(3)
})

test('overlap skip: none while one has not ended, and the record says why', async () => {
  const hourly = await testSchedule(sql, { expression: '0 * * * *', overlap: 'skip' })
  await clock.set('2026-01-01T01:00:00Z')
  await fireDue(sql)
  await clock.set('2026-01-01T02:00:00Z')
  expect(await fireDue(sql)).toEqual({ ...nothing, skipped: 1 })
  const [first, second] = await hourly.fires()
  expect(second).toMatchObject({
    outcome: 'skipped',
    jobId: null,
    reason: `Job ${first?.jobId} of an earlier time has not ended.`,
  })
  await endJobs()
  await clock.set('2026-01-01T03:00:00Z')
  expect(await fireDue(sql)).toEqual({ ...nothing, enqueued: 1 })
})

test('overlap queueOne: one runs, one waits for it, further ones are skipped', async () => {
  const hourly = await testSchedule(sql, { expression: '0 * * * *', overlap: 'queueOne' })
  for (const hour of ['01', '02', '03']) {
    await clock.set(`2026-01-01T${hour}:00:00Z`)
    await fireDue(sql)
  }
  expect(await hourly.outcomes()).toEqual([
    '2026-01-01T01:00 enqueued',
    '2026-01-01T02:00 enqueued',
    '2026-01-01T03:00 skipped',
  ])
  const states = async () => {
    const rows = await sql<{ state: string }[]>`select state from job_server.jobs order by id`
    return rows.map(({ state }) => state)
  }
  expect(await states()).toEqual(['blocked', 'blocked'])
})

test('catching up all keeps the overlap policy', async () => {
  const hourly = await testSchedule(sql, { expression: '0 * * * *', overlap: 'skip', catchUp: 'all' })
  await clock.set('2026-01-01T03:00:00Z')
  expect(await fireDue(sql)).toEqual({ ...nothing, enqueued: 1, skipped: 2 })
  const [, second] = await hourly.fires()
  expect(second?.reason).toBe('A job of an earlier time has not ended.')
})

test('what was missed stands in one record with its reason', async () => {
  const hourly = await testSchedule(sql, { expression: '0 * * * *' })
  await clock.set('2026-01-01T05:30:00Z')
  expect(await fireDue(sql)).toEqual({ ...nothing, enqueued: 1, missed: 1 })
  expect(await hourly.fires()).toMatchObject([
    {
      outcome: 'missed',
      fireAt: new Date('2026-01-01T01:00:00Z'),
      missedThrough: new Date('2026-01-01T04:00:00Z'),
      missedTimes: 4,
      reason: 'Nobody fired it before the next time was due.',
    },
    { outcome: 'enqueued', fireAt: new Date('2026-01-01T05:00:00Z') },
  ])
})

test('by hand it runs beside its times, and keeps the overlap policy', async () => {
  const hourly = await testSchedule(sql, { expression: '0 * * * *', overlap: 'skip', enabled: false })
  const jobId = await runNow(sql, hourly.id)
  expect(await hourly.fires()).toMatchObject([{ manual: true, outcome: 'enqueued', jobId }])
  expect(await hourly.read()).toMatchObject({ lastJobId: jobId, nextFireAt: null })
  await expect(runNow(sql, hourly.id)).rejects.toMatchObject({ code: 'schedule_overlaps' })
  await endJobs()
  await clock.set('2026-01-01T00:31:00Z')
  expect(await runNow(sql, hourly.id)).not.toBe(jobId)
})

test('of two who run it by hand at once under skip, one does', async () => {
  const hourly = await testSchedule(sql, { expression: '0 * * * *', overlap: 'skip' })
  const outcomes = await Promise.allSettled([runNow(sql, hourly.id), runNow(sql, hourly.id)])
  expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
  expect(await jobIds()).toHaveLength(1)
})
