import { expect, test } from 'vitest'
import { newId } from '../../../../core/ids.ts'
import { keepPartitions } from '../../../../core/upkeep/partitions.ts'
import { testDatabase, waitsForLock } from '../../../support/database.ts'

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
  expect(await keepPartitions(sql, { retentionDays: 30 })).toEqual({ made: 0, dropped: 0, inUse: 0 })
})

test('rows that came before their partition move into it when it is made', async () => {
  const [thisWeek] = (await partitions()).filter((name) => name.startsWith('events_'))
  await sql`drop table job_server.${sql(thisWeek ?? '')}`
  const jobId = newId()
  await sql`insert into job_server.events (job_id, event_type) values (${jobId}, 'first'), (${jobId}, 'second')`

  expect(await keepPartitions(sql, { retentionDays: 30 })).toEqual({ made: 1, dropped: 0, inUse: 0 })

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
  expect(await keepPartitions(sql, { retentionDays: 30 })).toEqual({ made: 0, dropped: 1, inUse: 0 })
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
  expect(kept).toEqual({ made: 0, dropped: 0, inUse: 2 })
  expect(await keepPartitions(sql, { retentionDays: 30 })).toEqual({ made: 1, dropped: 1, inUse: 0 })
})
