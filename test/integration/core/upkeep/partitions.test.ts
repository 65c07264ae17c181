import { expect, test } from 'vitest'
import { newId } from '../../../../core/ids.ts'
import { finish } from '../../../../core/queue/finish.ts'
import { readJob } from '../../../../core/queue/read.ts'
import { removeOrphans } from '../../../../core/upkeep/orphans.ts'
import { keepPartitions } from '../../../../core/upkeep/partitions.ts'
import { testDatabase, waitsForLock } from '../../../support/database.ts'
import { testQueue } from '../../../support/queue.ts'

const { sql } = await testDatabase()

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
  expect(kept).toEqual({ made: 0, dropped: 0, moved: 0, inUse: 2 })
  expect(await keepPartitions(sql, { retentionDays: 30 })).toEqual({
    made: 1,
    dropped: 1,
    moved: 0,
    inUse: 0,
  })
})

test('a job that ended lately, and one that lives, lose nothing when their week is dropped, however long they waited', async () => {
  const queue = await testQueue(sql)
  for (const parent of ['job_history', 'attempts', 'events', 'logs']) {
    await sql.unsafe(`
      create table job_server.${parent}_20200106 partition of job_server.${parent}
      for values from (job_server.uuid_v7_floor('2020-01-06')) to (job_server.uuid_v7_floor('2020-01-13'))`)
  }
  const idOf = (n: number) => `016f7e${n.toString(16).padStart(2, '0')}-0000-7000-8000-000000000000`
  const enqueued = async (n: number) => {
    const id = await queue.enqueue()
    await sql`update job_server.jobs set id = ${idOf(n)} where id = ${id}`
    await sql`insert into job_server.events (job_id, event_type) values (${idOf(n)}, 'queued')`
    await sql`
      insert into job_server.logs (job_id, lease_epoch, at, stream, text) values (${idOf(n)}, 1, now(), 'stdout', 'a line')`
    return idOf(n)
  }
  const ended = async (n: number) => {
    const id = await enqueued(n)
    const { lease } = await queue.claimOne()
    await finish(sql, [{ lease, end: { kind: 'succeeded', result: { n } } }])
    return id
  }
  const old = await ended(1)
  await sql`update job_server.job_history set finished_at = now() - interval '31 days' where id = ${old}`
  const young = await ended(2)
  const before = await readJob(sql, young)
  const alive = await enqueued(3)

  const rowsOf = async (id: string) => {
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
