import { expect, test } from 'vitest'
import { newId } from '../../../../core/ids.ts'
import { finish } from '../../../../core/queue/finish.ts'
import { readJob } from '../../../../core/queue/read.ts'
import { removeOrphans } from '../../../../core/upkeep/orphans.ts'
import { keepPartitions, type Readings } from '../../../../core/upkeep/partitions.ts'
import { testDatabase, waitsForLock } from '../../../support/database.ts'
import { testQueue } from '../../../support/queue.ts'

const { sql } = await testDatabase()
const queue = await testQueue(sql)

async function partitions(): Promise<string[]> {
  const rows = await sql<{ name: string }[]>`
    select relname as name from pg_class
    where relnamespace = 'job_server'::regnamespace and relname ~ '^(events|attempts|job_history|logs)_[0-9]{8}$'
      and relkind = 'r'
    order by relname`
  return rows.map(({ name }) => name)
}

test('this week and the four to come have partitions, and making them again makes none', async () => {
  expect(await partitions()).toHaveLength(20)
  expect(await keepPartitions(sql, { retentionDays: 30 })).toEqual({
    made: 0,
    dropped: 0,
    moved: 0,
    inUse: 0,
    kept: [],
    unread: [],
  })
})

test('rows that came before their partition move into it when it is made', async () => {
  const [thisWeek] = (await partitions()).filter((name) => name.startsWith('events_'))
  await sql`drop table job_server.${sql(thisWeek ?? '')}`
  const jobId = newId()
  await sql`insert into job_server.events (job_id, event_type) values (${jobId}, 'first'), (${jobId}, 'second')`

  expect(await keepPartitions(sql, { retentionDays: 30 })).toEqual({
    made: 1,
    dropped: 0,
    moved: 0,
    inUse: 0,
    kept: [],
    unread: [],
  })

  const rows = await sql<{ place: string; eventType: string }[]>`
    select tableoid::regclass::text as place, event_type from job_server.events where job_id = ${jobId} order by id`
  expect(rows).toEqual([
    { place: `job_server.${thisWeek}`, eventType: 'first' },
    { place: `job_server.${thisWeek}`, eventType: 'second' },
  ])
  await sql`insert into job_server.events (job_id, event_type) values (${jobId}, 'third')`
  const [{ count } = { count: 0 }] = await sql<{ count: number }[]>`
    select count(*)::int from job_server.events where job_id = ${jobId}`
  expect(count).toBe(3)
})

const makeOldWeek = () =>
  sql.unsafe(`
    create table job_server.events_20200106 partition of job_server.events
    for values from (job_server.uuid_v7_floor('2020-01-06')) to (job_server.uuid_v7_floor('2020-01-13'))`)

test('weeks past retention are dropped, and only those', async () => {
  await makeOldWeek()
  expect(await keepPartitions(sql, { retentionDays: 30 })).toEqual({
    made: 0,
    dropped: 1,
    moved: 0,
    inUse: 0,
    kept: [],
    unread: [],
  })
  expect(await partitions()).toHaveLength(20)
})

test('a week that somebody reads is left for the next time, and nobody waits behind its removal for long', async () => {
  await makeOldWeek()
  const [thisWeek = ''] = (await partitions()).filter((name) => name.startsWith('logs_'))
  await sql`drop table job_server.${sql(thisWeek)}`
  const kept = await sql.begin(async (tx) => {
    await tx`select from job_server.events limit 1`
    await tx`select from job_server.logs limit 1`
    const keeping = keepPartitions(sql, { retentionDays: 30 })
    await waitsForLock(sql)
    await sql`insert into job_server.events (job_id, event_type) values (${newId()}, 'meanwhile')`
    return await keeping
  })
  expect(kept).toEqual({ made: 0, dropped: 0, moved: 0, inUse: 2, kept: [], unread: [] })
  expect(await keepPartitions(sql, { retentionDays: 30 })).toEqual({
    made: 1,
    dropped: 1,
    moved: 0,
    inUse: 0,
    kept: [],
    unread: [],
  })
})

const parents = ['attempts', 'events', 'job_history', 'logs']
const oldWeeks = parents.map((parent) => `${parent}_20200106`)

async function makeOldWeeks(): Promise<void> {
  await sql`truncate job_server.jobs`
  for (const parent of parents) {
    await sql`truncate job_server.${sql(parent)}`
    await sql.unsafe(`
      create table if not exists job_server.${parent}_20200106 partition of job_server.${parent}
      for values from (job_server.uuid_v7_floor('2020-01-06')) to (job_server.uuid_v7_floor('2020-01-13'))`)
  }
}

/** Of the old week, with an event and a line of log. */
async function enqueued(n: number): Promise<string> {
  const old = `016f7e${n.toString(16).padStart(2, '0')}-0000-7000-8000-000000000000`
  const id = await queue.enqueue()
  await sql`update job_server.jobs set id = ${old} where id = ${id}`
  await sql`insert into job_server.events (job_id, event_type) values (${old}, 'queued')`
  await sql`
    insert into job_server.logs (job_id, lease_epoch, at, stream, text) values (${old}, 1, now(), 'stdout', 'a line')`
  return old
}

async function ended(n: number): Promise<string> {
  const id = await enqueued(n)
  const { lease } = await queue.claimOne()
  await finish(sql, [{ lease, end: { kind: 'succeeded', result: { n } } }])
  return id
}

async function rowsOf(id: string) {
  const count = async (table: string, column: string) => {
    const rows = await sql`select from job_server.${sql(table)} where ${sql(column)} = ${id}`
    return rows.length
  }
  return {
    history: await count('job_history', 'id'),
    attempts: await count('attempts', 'job_id'),
    events: await count('events', 'job_id'),
    logs: await count('logs', 'job_id'),
  }
}

test('a job that ended lately, and one that lives, lose nothing when their week is dropped, however long they waited', async () => {
  await makeOldWeeks()
  const old = await ended(1)
  await sql`update job_server.job_history set finished_at = now() - interval '31 days' where id = ${old}`
  const young = await ended(2)
  const before = await readJob(sql, young)
  const alive = await enqueued(3)
  const ofYoung = await rowsOf(young)
  expect(ofYoung).toMatchObject({ history: 1, attempts: 1, logs: 1 })
  const kept = await keepPartitions(sql, { retentionDays: 30 })
  expect(kept).toMatchObject({ dropped: 4, inUse: 0 })
  expect(await partitions()).toHaveLength(20)
  expect(await rowsOf(old)).toEqual({ history: 0, attempts: 0, events: 0, logs: 0 })
  expect(await rowsOf(young)).toEqual(ofYoung)
  expect(await readJob(sql, young)).toEqual(before)
  expect(await rowsOf(alive)).toEqual({ history: 0, attempts: 0, events: 1, logs: 1 })
  await removeOrphans(sql, { retentionDays: 30 })
  expect(await rowsOf(young)).toEqual(ofYoung)
  expect(await rowsOf(alive)).toMatchObject({ events: 1, logs: 1 })

  await sql`update job_server.job_history set finished_at = now() - interval '31 days' where id = ${young}`
  await removeOrphans(sql, { retentionDays: 30 })
  expect(await rowsOf(young)).toEqual({ history: 0, attempts: 0, events: 0, logs: 0 })
})

test.each([
  { what: 'jobs', most: { rows: 0, bytes: 1_000_000 } },
  { what: 'bytes', most: { rows: 100, bytes: 10 } },
])(
  'partitions in which too many $what of those that ended lately are stay as they are, and are named',
  async ({ most }) => {
    await makeOldWeeks()
    const young = await ended(1)
    const before = await rowsOf(young)
    expect(await keepPartitions(sql, { retentionDays: 30, mostMoved: most })).toMatchObject({
      dropped: 0,
      moved: 0,
      kept: oldWeeks,
    })
    expect(await rowsOf(young)).toEqual(before)
    expect(await keepPartitions(sql, { retentionDays: 30 })).toMatchObject({ dropped: 4, kept: [] })
    expect(await rowsOf(young)).toEqual(before)
  },
)

test('a partition with too many rows of those that ended lately stays, and the others of its week are dropped', async () => {
  await makeOldWeeks()
  const young = await ended(1)
  const before = await rowsOf(young)
  expect(before.events).toBeGreaterThan(1)
  const kept = await keepPartitions(sql, { retentionDays: 30, mostMoved: { rows: 1, bytes: 1_000_000 } })
  expect(kept).toMatchObject({ dropped: 3, moved: 3, kept: ['events_20200106'] })
  expect(await rowsOf(young)).toEqual(before)
})

test('what is beyond the bound of jobs that live goes with their week, as a queue that is paused would keep it for ever', async () => {
  await makeOldWeeks()
  const alive = [await enqueued(1), await enqueued(2), await enqueued(3)]
  const kept = await keepPartitions(sql, { retentionDays: 30, mostMoved: { rows: 2, bytes: 1_000_000 } })
  expect(kept).toMatchObject({ dropped: 4, moved: 4, inUse: 0, kept: [] })
  expect(await Promise.all(alive.map(rowsOf))).toMatchObject([{ events: 1 }, { events: 1 }, { events: 0 }])
})

test('when jobs beyond the bound end while their week is dropped, their history stays', async () => {
  await makeOldWeeks()
  const [ending, listed] = [await enqueued(1), await enqueued(2)]
  // As it was when the week was read.
  const readings = new Map([['20200106', { hours: 168, ended: [], live: [listed], liveCount: 2 }]])
  const { lease } = await queue.claimOne()
  await finish(sql, [{ lease, end: { kind: 'succeeded', result: null } }])
  expect(await keepPartitions(sql, { retentionDays: 30, readings })).toMatchObject({ dropped: 3, inUse: 1 })
  expect(await rowsOf(ending)).toMatchObject({ history: 1 })
  expect(await keepPartitions(sql, { retentionDays: 30, readings })).toMatchObject({ dropped: 1, inUse: 0 })
  expect(await rowsOf(ending)).toMatchObject({ history: 1 })
})

test('of jobs that ended since their week was read history stays, though it is more than may move', async () => {
  await makeOldWeeks()
  const both = [await enqueued(1), await enqueued(2)]
  const readings = new Map([['20200106', { hours: 168, ended: [], live: [...both], liveCount: 2 }]])
  for (let claims = 0; claims < 2; claims++) {
    const { lease } = await queue.claimOne()
    await finish(sql, [{ lease, end: { kind: 'succeeded', result: null } }])
  }
  const kept = await keepPartitions(sql, {
    ...{ retentionDays: 30, readings, mostMoved: { rows: 1, bytes: 1_000_000 } },
  })
  expect(kept.kept).toEqual(['job_history_20200106'])
  expect(await Promise.all(both.map(rowsOf))).toMatchObject([{ history: 1 }, { history: 1 }])
})

test('a table is not held for as long as it takes, if that is long', { timeout: 20_000 }, async () => {
  await makeOldWeeks()
  const alive = await enqueued(1)
  await sql.unsafe(`
    create function linger() returns trigger language plpgsql as 'begin perform pg_sleep(60); return new; end';
    create trigger linger before insert on job_server.events_default for each row execute function linger()`)
  expect(await keepPartitions(sql, { retentionDays: 30 })).toMatchObject({ dropped: 3, inUse: 1 })
  await sql`drop function linger cascade`
  expect(await rowsOf(alive)).toMatchObject({ events: 1, logs: 1 })
})

test('who is told to stop begins nothing more, and the next time it goes on', async () => {
  await makeOldWeeks()
  const young = await ended(1)
  const before = await rowsOf(young)
  const readings: Readings = new Map()
  const stopped = { retentionDays: 30, readings, signal: AbortSignal.abort() }
  expect(await keepPartitions(sql, stopped)).toMatchObject({ dropped: 0, kept: [], unread: ['20200106'] })
  expect(await keepPartitions(sql, { retentionDays: 30, readings })).toMatchObject({ dropped: 4 })
  expect(readings.size).toBe(0)
  expect(await rowsOf(young)).toEqual(before)
})
