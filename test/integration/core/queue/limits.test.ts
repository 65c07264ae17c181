import { afterAll, afterEach, expect, test } from 'vitest'
import { openPool } from '../../../../core/db.ts'
import { definitionName } from '../../../../core/definitions/name.ts'
import { admit, admitWaiting } from '../../../../core/queue/admit.ts'
import { cancel } from '../../../../core/queue/cancel.ts'
import type { ClaimedJob } from '../../../../core/queue/claim.ts'
import { enqueueMany } from '../../../../core/queue/enqueue.ts'
import { finish, rescue } from '../../../../core/queue/finish.ts'
import { stage } from '../../../../core/queue/stage.ts'
import { pauseQueue, resumeQueue } from '../../../../core/queues/pause.ts'
import { testDatabase, waitsForLock } from '../../../support/database.ts'
import { failedWith, testQueue } from '../../../support/queue.ts'

const { sql, url } = await testDatabase()
// The ends of a storm do not wait in line behind its claims.
const ends = openPool({ DATABASE_URL: url, DATABASE_POOL_SIZE: 2 }, 'test ends')
afterAll(() => ends.end())

afterEach(async () => {
  await sql`truncate job_server.jobs, job_server.lanes, job_server.definitions, job_server.rate_starts, job_server.queues`
})

function times<Item>(count: number, item: Item): Item[] {
  return Array.from({ length: count }, () => item)
}

const succeed = async (jobs: ClaimedJob[], on = sql) => {
  await finish(
    on,
    jobs.map(({ lease }) => ({ lease, end: { kind: 'succeeded', result: null } as const })),
  )
}

/** Claims and finishes from many sides at once until all is done; gives the most that ran at any moment. */
async function storm(
  queue: Awaited<ReturnType<typeof testQueue>>,
  options: { claimers: number; jobs: number; groupOf: (job: ClaimedJob) => string },
): Promise<Map<string, number>> {
  const running = new Map<string, number>()
  const most = new Map<string, number>()
  let done = 0
  const claimer = async (name: string) => {
    while (done < options.jobs) {
      await admitWaiting(sql, null)
      const jobs = await queue.claim({ workerId: name, limit: 3 })
      for (const job of jobs) {
        const group = options.groupOf(job)
        const count = (running.get(group) ?? 0) + 1
        running.set(group, count)
        most.set(group, Math.max(most.get(group) ?? 0, count))
      }
      // The work, or a breath before the next look.
      await Bun.sleep(20)
      // Counted down before the database knows: what is measured is never less than what is.
      for (const job of jobs) running.set(options.groupOf(job), (running.get(options.groupOf(job)) ?? 0) - 1)
      await succeed(jobs, ends)
      done += jobs.length
    }
  }
  await Promise.all(Array.from({ length: options.claimers }, (_, index) => claimer(`w${index}`)))
  return most
}

test('200 concurrent claimers never exceed the limit of a definition', async () => {
  const queue = await testQueue(sql, { concurrencyLimit: 7 })
  await enqueueMany(sql, times(80, { definitionKey: 'test' }))
  const most = await storm(queue, { claimers: 200, jobs: 80, groupOf: () => 'all' })
  expect(most.get('all')).toBeLessThanOrEqual(7)
  // How many really ran at once depends on the machine; that some did shows that it was a storm.
  expect(most.get('all')).toBeGreaterThan(1)
})

test('200 concurrent claimers never exceed the limit of a concurrency key', async () => {
  const queue = await testQueue(sql, { concurrencyKeyLimit: 3 })
  const ofTenants = [0, 1, 2, 3, 4].map((tenant) => ({
    ...{ definitionKey: 'test', concurrencyKey: `tenant-${tenant}`, params: { tenant } },
  }))
  await enqueueMany(sql, times(16, ofTenants).flat())
  const most = await storm(queue, { claimers: 200, jobs: 80, groupOf: (job) => String(job.params.tenant) })
  expect(most.size).toBe(5)
  expect(Math.max(...most.values())).toBeLessThanOrEqual(3)
  expect(Math.max(...most.values())).toBeGreaterThan(1)
})

test('without a limit as many run as are claimed: the storm would notice', async () => {
  const queue = await testQueue(sql)
  await enqueueMany(sql, times(80, { definitionKey: 'test' }))
  const most = await storm(queue, { claimers: 20, jobs: 80, groupOf: () => 'all' })
  expect(most.get('all')).toBeGreaterThan(7)
})

test('one claimer gets as many as the limit leaves', async () => {
  const queue = await testQueue(sql, { concurrencyLimit: 7 })
  for (let count = 0; count < 20; count++) await queue.enqueue()
  expect(await queue.claim({ limit: 3 })).toHaveLength(3)
  expect(await queue.claim({ limit: 20 })).toHaveLength(4)
})

test('a definition with jobs in several queues has one limit for them all', async () => {
  const queue = await testQueue(sql, { concurrencyLimit: 2 })
  for (const name of ['a', 'b', 'c']) await queue.enqueue({ queue: name })
  expect(await queue.claim({ limit: 10 })).toHaveLength(2)
  expect(await queue.claim({ limit: 10 })).toHaveLength(0)
})

test('a rate limit lets so many attempts begin in its span, then says when the next may', async () => {
  const queue = await testQueue(sql, { rateLimit: { count: 3, seconds: 60 } })
  for (let count = 0; count < 5; count++) await queue.enqueue()
  expect(await queue.claim({ limit: 10 })).toHaveLength(3)
  expect(await queue.claim({ limit: 10 })).toHaveLength(0)
  const { limited, nextDueInSeconds } = await stage(sql, { limit: 10 })
  expect(limited).toBe(true)
  expect(nextDueInSeconds).toBeGreaterThan(50)
  expect(nextDueInSeconds).toBeLessThanOrEqual(60)

  // One of the three leaves the span.
  await sql`
    update job_server.rate_starts set started_at = started_at - interval '61 seconds'
    where ctid = (select min(ctid) from job_server.rate_starts)`
  expect(await queue.claim({ limit: 10 })).toHaveLength(1)
})

test('a claimer that waited for its turn remembers its starts as of then, not as of when it began to wait', async () => {
  const queue = await testQueue(sql, { rateLimit: { count: 3, seconds: 60 } })
  await queue.enqueue()
  const holder = await sql.reserve()
  await holder`begin`
  await holder`
    select pg_advisory_xact_lock(hashtextextended('job-server.definition.' || ${definitionName({ key: 'test', version: 1 })}, 0))`
  const claiming = queue.claim()
  await waitsForLock(sql)
  const [turn] = await holder<{ at: string }[]>`select clock_timestamp()::text as at`
  await holder`commit`
  holder.release()
  expect(await claiming).toHaveLength(1)
  expect(
    await sql`select started_at > ${turn?.at ?? ''}::text::timestamptz as is_later from job_server.rate_starts`,
  ).toEqual([{ isLater: true }])
})

test('keys take turns: ten jobs of one tenant do not wait for two hundred of another', async () => {
  const queue = await testQueue(sql, { concurrencyKeyLimit: 2 })
  await enqueueMany(sql, times(200, { definitionKey: 'test', concurrencyKey: 'big' }))
  await admitWaiting(sql, null)
  for (let count = 0; count < 10; count++)
    await queue.enqueue({ concurrencyKey: 'small', params: { small: true } })
  await admitWaiting(sql, null)
  const order: boolean[] = []
  for (let turn = 0; turn < 24; turn++) {
    const job = await queue.claimOne()
    order.push(job.params.small === true)
    await succeed([job])
  }
  expect(order.filter(Boolean)).toHaveLength(10)
})

test('a job that is being cancelled is passed by, not waited for: whoever cancels may wait for another of its key', async () => {
  const queue = await testQueue(sql)
  const first = await queue.enqueue({ concurrencyKey: 'tenant' })
  const second = await queue.enqueue({ concurrencyKey: 'tenant' })
  await sql.begin(async (tx) => {
    await tx`select from job_server.jobs where id = ${first} for update`
    await admitWaiting(sql, null)
  })
  expect(await sql`select id from job_server.jobs where state = 'ready'`).toEqual([{ id: second }])
})

test('a key that is full costs the claim nothing: its jobs are not in the line', async () => {
  await testQueue(sql)
  await enqueueMany(sql, times(100, { definitionKey: 'test', concurrencyKey: 'full' }))
  await admitWaiting(sql, null)
  const [{ ready } = { ready: -1 }] = await sql<{ ready: number }[]>`
    select count(*)::int as ready from job_server.jobs where state = 'ready'`
  expect(ready).toBe(1)
})

test('whatever frees a place under a key lets the next one in: success, retry, cancel, rescue', async () => {
  const queue = await testQueue(sql, { maxAttempts: 1 })
  for (let count = 0; count < 5; count++) await queue.enqueue({ concurrencyKey: 'k' })
  await admitWaiting(sql, null)
  await succeed([await queue.claimOne()])
  const failing = await queue.claimOne()
  const end = { ...failedWith('x'), retryInSeconds: 60 }
  await finish(sql, [{ lease: failing.lease, end }])
  const cancelled = await queue.claimOne()
  await cancel(sql, cancelled.lease.jobId)
  await finish(sql, [{ lease: cancelled.lease, end: { kind: 'cancelled' } }])
  await queue.claimOne()
  await queue.expireLeases()
  await rescue(sql, { limit: 10 })
  await queue.claimOne()
  expect(await queue.claim({ limit: 10 })).toEqual([])
})

test('two who admit at once admit no more than the limit', async () => {
  const queue = await testQueue(sql, { concurrencyKeyLimit: 2 })
  for (let count = 0; count < 20; count++) await queue.enqueue({ concurrencyKey: 'k' })
  const admitted = await Promise.all(Array.from({ length: 10 }, () => admit(sql, ['k'])))
  expect(admitted.reduce((sum, count) => sum + count, 0)).toBe(2)
})

test('a paused queue is left out, and its jobs are there when it goes on', async () => {
  const queue = await testQueue(sql)
  await queue.enqueue({ queue: 'quiet' })
  await queue.enqueue()
  await sql`insert into job_server.queues (name, paused_at) values ('quiet', now())`
  expect(await queue.claim({ limit: 10 })).toHaveLength(1)
  await sql`update job_server.queues set paused_at = null`
  expect(await queue.claim({ limit: 10 })).toHaveLength(1)
})

test('a paused queue keeps no place under a key: others have it meanwhile, and it has its turn afterwards', async () => {
  const queue = await testQueue(sql)
  const enqueue = (name: string) =>
    queue.enqueue({ queue: name, concurrencyKey: 'k', concurrencyKeyLimit: 1 })
  const claimed = async () => {
    await admitWaiting(sql, null)
    const jobs = await queue.claim({ limit: 10 })
    await succeed(jobs)
    return jobs.map(({ lease }) => lease.jobId)
  }
  const [admitted, behind] = [await enqueue('quiet'), await enqueue('default')]
  await admitWaiting(sql, null)
  await pauseQueue(sql, 'quiet')
  const late = await enqueue('quiet')
  expect(await claimed()).toEqual([behind])
  expect(await claimed()).toEqual([])
  await resumeQueue(sql, 'quiet')
  expect([await claimed(), await claimed()]).toEqual([[admitted], [late]])
})
