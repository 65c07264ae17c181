import { beforeEach, expect, test } from 'vitest'
import { foldTallies } from '../../../../core/metrics/fold.ts'
import { readDefinitionMetrics, readRecentThroughput, readThroughput } from '../../../../core/metrics/read.ts'
import { performanceOf } from '../../../../core/metrics/summary.ts'
import { cancel } from '../../../../core/queue/cancel.ts'
import { finish } from '../../../../core/queue/finish.ts'
import { testDatabase, waitsForLock } from '../../../support/database.ts'
import { failedWith, testQueue } from '../../../support/queue.ts'

const { sql } = await testDatabase()
const queue = await testQueue(sql)

beforeEach(async () => {
  await sql`
    truncate job_server.jobs, job_server.end_tallies, job_server.end_totals, job_server.end_minutes,
      job_server.claim_tallies, job_server.claim_totals`
})

const succeeded = { kind: 'succeeded', result: null } as const

async function run(...ends: Parameters<typeof finish>[1][number]['end'][]) {
  for (const end of ends) {
    const { lease } = await queue.claimOne()
    await finish(sql, [{ lease, end }])
  }
}

async function only() {
  const definitions = await readDefinitionMetrics(sql)
  expect(definitions).toHaveLength(1)
  const [definition] = definitions
  if (definition === undefined) throw new Error('nothing was counted')
  return definition
}

async function tallies() {
  const [row] = await sql<{ ends: number; claims: number }[]>`
    select
      (select count(*)::int from job_server.end_tallies) as ends,
      (select count(*)::int from job_server.claim_tallies) as claims`
  return row
}

/** One of each: succeeded at once, succeeded after a retry, failed for good, cancelled while it waited. */
async function someJobs() {
  await queue.enqueue()
  await run(succeeded)
  await queue.enqueue()
  await run(failedWith('bad'), succeeded)
  await queue.enqueue({ maxAttempts: 1 })
  await run(failedWith('worse'))
  await cancel(sql, await queue.enqueue())
  await queue.enqueue()
}

const counts = { queued: 1, running: 0, succeeded: 2, failed: 1, cancelling: 0, cancelled: 1 }

test('jobs are counted by status, the same before and after folding', async () => {
  await someJobs()
  const before = await only()
  expect(before).toMatchObject({ byStatus: counts, tried: { tried: 3, retried: 1 } })
  expect(before.tried.runSeconds).toBeGreaterThan(0)
  expect(await tallies()).toEqual({ ends: 5, claims: 4 })

  expect(await foldTallies(sql, { limit: 3 })).toEqual({ ends: 3, claims: 3 })
  expect(await tallies()).toEqual({ ends: 2, claims: 1 })
  expect(await only()).toMatchObject({ byStatus: counts, tried: { tried: 3, retried: 1 } })

  await foldTallies(sql, { limit: 100 })
  expect(await tallies()).toEqual({ ends: 0, claims: 0 })
  const after = await only()
  expect(after).toMatchObject({ byStatus: counts, tried: { tried: 3, retried: 1 } })
  expect(after.tried.runSeconds).toBeCloseTo(before.tried.runSeconds, 9)
  expect(after.tried.queueSeconds).toBeCloseTo(before.tried.queueSeconds, 9)
})

test('rates and means are what the jobs themselves say', async () => {
  await someJobs()
  const { byStatus, tried } = await only()
  const [means] = await sql<{ run: number; queue: number }[]>`
    select
      avg(extract(epoch from finished_at - started_at))::float8 as run,
      avg(extract(epoch from started_at - queued_at))::float8 as queue
    from job_server.job_history
    where status in ('succeeded', 'failed') and id > job_server.uuid_v7_floor(now() - interval '1 minute')
      and finished_at >= (select min(ended_at) from job_server.end_tallies)`
  const performance = performanceOf(byStatus, tried)
  expect(performance).toMatchObject({ successRate: 2 / 3, retryRate: 1 / 3 })
  expect(performance.avgProcessingTime).toBeCloseTo(means?.run ?? -1, 6)
  expect(performance.avgQueueTime).toBeCloseTo(means?.queue ?? -1, 6)
})

test('without jobs there is nothing to divide by', async () => {
  expect(await readDefinitionMetrics(sql)).toEqual([])
  await queue.enqueue()
  const { byStatus, tried } = await only()
  expect(performanceOf(byStatus, tried)).toEqual({
    successRate: 0,
    avgProcessingTime: null,
    avgQueueTime: null,
    retryRate: 0,
  })
})

test('a fold that dies half way counts nothing, and nothing is counted twice by several at once', async () => {
  await someJobs()
  await sql
    .begin(async (tx) => {
      await foldTallies(tx, { limit: 100 })
      throw new Error('dies')
    })
    .catch(() => {})
  expect(await tallies()).toEqual({ ends: 5, claims: 4 })

  // The first holds its totals until all the others wait for them, each with tallies of its own.
  const others = await sql.begin(async (tx) => {
    await foldTallies(tx, { limit: 1 })
    const waiting = Promise.all([1, 2, 3].map(() => foldTallies(sql, { limit: 1 })))
    await waitsForLock(sql)
    return { waiting }
  })
  await others.waiting
  await foldTallies(sql, { limit: 100 })
  expect(await only()).toMatchObject({ byStatus: counts, tried: { tried: 3, retried: 1 } })
})

test('jobs that end while others read and fold are counted once, at every look', async () => {
  const jobs = 60
  for (let count = 0; count < jobs; count++) await queue.enqueue()
  let working = true
  const looks: number[] = []
  const look = async () => {
    while (working) {
      const { byStatus } = await only()
      looks.push(Object.values(byStatus).reduce((total, count) => total + count, 0))
    }
  }
  const fold = async () => {
    while (working) await foldTallies(sql, { limit: 7 })
  }
  const work = async () => {
    for (;;) {
      const claimed = await queue.claim({ limit: 3 })
      if (claimed.length === 0) break
      await finish(
        sql,
        claimed.map(({ lease }) => ({ lease, end: succeeded })),
      )
    }
  }
  const looking = Promise.all([look(), fold(), fold()])
  await Promise.all([work(), work()])
  working = false
  await looking
  expect(looks.length).toBeGreaterThan(3)
  expect(new Set(looks)).toEqual(new Set([jobs]))
  expect((await only()).byStatus.succeeded).toBe(jobs)
})

test('throughput is told by the hour, the newest last, and by hour, day and week', async () => {
  await sql`
    insert into job_server.end_tallies (
      ended_at, definition_key, definition_version, status, outcome, attempts, queued_at, started_at
    )
    select now() - age, 'test', 1, status, 'x', 1, now() - age, now() - age
    from unnest(
      array['0 s', '0 s', '2 hours', '3 days', '3 days', '30 days']::interval[],
      array['succeeded', 'queued', 'failed', 'succeeded', 'succeeded', 'succeeded']
    ) as ended (age, status)`
  for (const folded of [false, true]) {
    if (folded) await foldTallies(sql, { limit: 100 })
    const hours = await readThroughput(sql, { hours: 168 })
    expect(hours).toHaveLength(168)
    expect(hours.map(({ period }) => period.getTime()).sort()).toEqual(
      hours.map(({ period }) => period.getTime()),
    )
    expect(hours.at(-1)).toMatchObject({ completed: 1, failed: 0 })
    expect(hours.at(-3)).toMatchObject({ completed: 0, failed: 1 })
    expect(hours.reduce((total, { completed }) => total + completed, 0)).toBe(3)
    expect(await readThroughput(sql, { hours: 1 })).toMatchObject([{ completed: 1, failed: 0 }])
    expect(await readRecentThroughput(sql)).toEqual({ lastHour: 1, lastDay: 1, lastWeek: 3 })
  }
  const [kept] = await sql<{ oldest: Date }[]>`select min(minute) as oldest from job_server.end_minutes`
  expect(Date.now() - (kept?.oldest.getTime() ?? 0)).toBeLessThan(4 * 86_400_000)
  expect((await only()).byStatus.succeeded).toBe(4)
})
