import { setTimeout as sleep } from 'node:timers/promises'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import type { Pool, Sql } from '../../../../core/db.ts'
import { foldTallies } from '../../../../core/metrics/fold.ts'
import { claim } from '../../../../core/queue/claim.ts'
import { enqueue, enqueueMany } from '../../../../core/queue/enqueue.ts'
import { remakeLanes, removeUnusedLanes } from '../../../../core/upkeep/lanes.ts'
import { testDatabase } from '../../../support/database.ts'
import { testQueue } from '../../../support/queue.ts'

const { sql } = await testDatabase()
const queue = await testQueue(sql, { key: 'test' }, { key: 'other', queue: 'of-other' })
const day = 86_400
const limit = 100
const inQueue = (name: string) => ({ definitionKey: 'test', queue: name })

beforeEach(async () => {
  await sql`truncate job_server.jobs, job_server.claim_tallies, job_server.claim_totals`
  await sql`delete from job_server.lanes where queue not in (select queue from job_server.definitions)`
})

async function lanes(): Promise<string[]> {
  const rows = await sql<{ lane: string }[]>`
    select queue || ' ' || definition_key as lane from job_server.lanes order by 1`
  return rows.map(({ lane }) => lane).filter((lane) => !['default test', 'of-other other'].includes(lane))
}

/** As if it had been used for the last time so long ago. */
const unusedFor = (seconds: number, name = 'customer') => sql`
  insert into job_server.lanes (queue, definition_key, definition_version, used_at)
  values (${name}, 'test', 1, now() - make_interval(secs => ${seconds}))
  on conflict on constraint lanes_pk do update set used_at = excluded.used_at`

async function secondsUnused(name = 'customer'): Promise<number | undefined> {
  const [lane] = await sql<{ seconds: number }[]>`
    select extract(epoch from now() - used_at)::float8 as seconds from job_server.lanes where queue = ${name}`
  return lane?.seconds
}

async function claimed(): Promise<string[]> {
  const jobs = await claim(
    sql,
    { workerId: 'w1', definitions: queue.definitions, queues: [], limit: 10_000, leaseSeconds: 60 },
    { limited: false },
  )
  return jobs.map(({ lease }) => lease.jobId)
}

/** What an enqueue of the version before did, for which a lane is there as long as its row is. */
async function enqueueAsBefore(tx: Sql, name: string): Promise<string> {
  const [job] = await tx<{ id: string }[]>`
    with laned as (
      insert into job_server.lanes (queue, definition_key, definition_version)
      select ${name}, 'test', 1
      where not exists (
        select from job_server.lanes where queue = ${name} and definition_key = 'test' and definition_version = 1
      )
      on conflict do nothing
    )
    insert into job_server.jobs (
      id, definition_key, definition_version, queue, state, priority, max_attempts, timeout_seconds, params
    )
    values (gen_random_uuid(), 'test', 1, ${name}, 'ready', 0, 3, 60, '{}')
    returning id`
  return job?.id ?? ''
}

/** Holds a transaction open after `run`, until told to commit. */
async function open<Value>(run: (tx: Sql) => Promise<Value>, on: Pool = sql) {
  const committed = Promise.withResolvers<void>()
  const done = Promise.withResolvers<Value>()
  const transaction = on.begin(async (tx) => {
    done.resolve(await run(tx))
    await committed.promise
  })
  onTestFinished(() => committed.resolve())
  const value = await done.promise
  return {
    value,
    commit: async () => {
      committed.resolve()
      await transaction
    },
  }
}

test('a lane goes two days after its last use, a part of many at a time, and what its queue was counted by', async () => {
  await unusedFor(2 * day + 60, 'a')
  await unusedFor(2 * day + 60, 'b')
  await unusedFor(2 * day - 60, 'c')
  await sql`
    insert into job_server.claim_totals (queue, wait_le, claims, wait_seconds)
    values ('a', 1, 1, 0.5), ('b', 1, 1, 0.5), ('c', 1, 1, 0.5)`
  expect(await removeUnusedLanes(sql, { limit: 1 })).toBe(1)
  expect(await removeUnusedLanes(sql, { limit })).toBe(1)
  expect(await removeUnusedLanes(sql, { limit })).toBe(0)
  expect(await lanes()).toEqual(['c test'])
  expect(await sql`select queue from job_server.claim_totals`).toEqual([{ queue: 'c' }])
})

test('one with a job stays, whatever the job waits for, and so do those of definitions’ own queues', async () => {
  await enqueueMany(sql, [
    { ...inQueue('delayed'), delaySeconds: 30 * day },
    { ...inQueue('blocked'), concurrencyKey: 'k' },
    inQueue('ready'),
  ])
  await sql`update job_server.lanes set used_at = now() - interval '60 days'`
  expect(await removeUnusedLanes(sql, { limit })).toBe(0)
  expect(await lanes()).toEqual(['blocked test', 'delayed test', 'ready test'])
  expect(await sql`select from job_server.lanes where used_at < now() - interval '1 day'`).toHaveLength(0)
})

test('one that is held by somebody is not waited for, and stays', async () => {
  await unusedFor(3 * day)
  const holder = await open((tx) => enqueueMany(tx, [inQueue('customer')]))
  expect(await removeUnusedLanes(sql, { limit })).toBe(0)
  await holder.commit()
  expect(await removeUnusedLanes(sql, { limit })).toBe(0)
  expect(await claimed()).toHaveLength(1)
})

describe('use', () => {
  test('is noted by who enqueues once the lane counts as unused, and not before', async () => {
    await unusedFor(day - 60)
    await enqueue(sql, inQueue('customer'))
    expect(await secondsUnused()).toBeGreaterThan(day - 120)
    await unusedFor(day + 60)
    await enqueue(sql, inQueue('customer'))
    expect(await secondsUnused()).toBeLessThan(60)
  })

  test('is noted by what was claimed, so that nobody waits for who enqueues in an open transaction', async () => {
    await unusedFor(day - 60)
    await enqueue(sql, inQueue('customer'))
    expect(await claimed()).toHaveLength(1)
    await foldTallies(sql, { limit })
    expect(await secondsUnused()).toBeLessThan(60)
    await open((tx) => enqueueMany(tx, [inQueue('customer')]))
    expect(await enqueue(sql, inQueue('customer'))).toMatchObject({ created: true })
  })

  test('is not noted again and again', async () => {
    await unusedFor(3600)
    await enqueue(sql, inQueue('customer'))
    await claimed()
    await foldTallies(sql, { limit })
    await removeUnusedLanes(sql, { limit })
    expect(await secondsUnused()).toBeGreaterThan(3599)
  })

  test('is no matter of waiting for who holds the lane', async () => {
    await unusedFor(day + 60)
    await sql`
      insert into job_server.claim_tallies (queue, claimed_at, claimable_at) values ('customer', now(), now())`
    const holder = await open((tx) => enqueueMany(tx, [inQueue('customer')]))
    expect(await foldTallies(sql, { limit })).toEqual({ ends: 0, claims: 1 })
    await holder.commit()
    expect(await secondsUnused()).toBeLessThan(60)
  })
})

describe('no job stays without a lane', () => {
  test('however many enqueue while lanes go', async () => {
    const names = Array.from({ length: 12 }, (_, n) => `customer-${n}`)
    const rounds = 25
    let removed = 0
    for (let round = 0; round < rounds; round++) {
      await Promise.all(names.map((name) => unusedFor(3 * day, name)))
      let going = true
      const sweeping = (async () => {
        while (going) removed += await removeUnusedLanes(sql, { limit })
      })()
      const written = names.map(async (name, n) => {
        await sleep(2 * n)
        const other = names[(n * 7 + round) % names.length] ?? name
        return await enqueueMany(sql, [inQueue(name), inQueue(other)])
      })
      const ids = (await Promise.all(written)).flat().map(({ job }) => job.id)
      going = false
      await sweeping
      expect((await claimed()).sort()).toEqual(ids.sort())
      await sql`truncate job_server.jobs`
    }
    expect(removed).toBeGreaterThan(0)
  }, 120_000)

  test('though it was enqueued by a version that knows of no use, while its lane went', async () => {
    await unusedFor(3 * day)
    const before = await open((tx) => enqueueAsBefore(tx, 'customer'))
    expect(await removeUnusedLanes(sql, { limit })).toBe(1)
    await before.commit()
    expect(await claimed()).toEqual([])
    expect(await remakeLanes(sql)).toBe(1)
    expect(await claimed()).toEqual([before.value])
    expect(await lanes()).toEqual(['customer test'])
  })

  test('though it was enqueued in a transaction that has been open since the lane was used', async () => {
    await unusedFor(day - 60)
    const long = await open((tx) => enqueueMany(tx, [inQueue('customer')]))
    await unusedFor(3 * day)
    expect(await removeUnusedLanes(sql, { limit })).toBe(1)
    await long.commit()
    expect(await remakeLanes(sql)).toBe(1)
    expect(await claimed()).toEqual(long.value.map(({ job }) => job.id))
  })

  test('and what is found without one has the others beside it stay as they are', async () => {
    for (const name of ['a', 'b', 'c', 'd']) await enqueueMany(sql, [inQueue(name), inQueue(name)])
    await sql`delete from job_server.lanes where queue in ('b', 'd')`
    expect(await remakeLanes(sql)).toBe(2)
    expect(await remakeLanes(sql)).toBe(0)
    expect(await claimed()).toHaveLength(8)
  })
})
