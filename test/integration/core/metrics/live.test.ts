/** Counts of unfinished jobs: told when asked while they are few, and kept by upkeep where they are many. */
import { beforeEach, expect, test } from 'vitest'
import { readFleet } from '../../../../core/metrics/fleet.ts'
import { keepLiveCount, liveCountedAt } from '../../../../core/metrics/live.ts'
import { measure } from '../../../../core/metrics/measure.ts'
import { readDefinitionMetrics } from '../../../../core/metrics/read.ts'
import { cancel } from '../../../../core/queue/cancel.ts'
import { finish } from '../../../../core/queue/finish.ts'
import { listQueues } from '../../../../core/queues/read.ts'
import { testDatabase } from '../../../support/database.ts'
import { observePlans, wholeTablesRead } from '../../../support/plans.ts'
import { testQueue } from '../../../support/queue.ts'

const { sql, url } = await testDatabase()
const observed = observePlans(sql, url)
const queue = await testQueue(sql)
/** Any number of jobs is much. */
const many = { manyPages: 0 }
/** Makes the next count due. */
const letRest = () => sql`update job_server.live_count set valid_until = valid_until - interval '50 seconds'`

beforeEach(async () => {
  await sql`truncate job_server.jobs, job_server.live_count, job_server.end_tallies`
})

/** What every reader says of the same jobs. */
async function told() {
  const [definition] = await readDefinitionMetrics(sql)
  const { queues, all } = await listQueues(sql, { limit: 100, offset: 0 })
  const [line] = queues
  const gauge = (await readFleet(sql)).find(({ name }) => name === 'job_server_jobs')
  return {
    byStatus: definition?.byStatus,
    queue: line,
    all,
    gauge: gauge?.samples.map(({ labels, value }) => `${labels?.state} ${value}`).sort(),
    measures: await measure(sql),
  }
}

async function someJobs(): Promise<void> {
  for (let count = 0; count < 3; count++) await queue.enqueue()
  await queue.enqueue({ delaySeconds: 3600 })
  await queue.claimOne()
  const { lease } = await queue.claimOne()
  await cancel(sql, lease.jobId)
}

const counted = {
  byStatus: { queued: 2, running: 1, cancelling: 1, succeeded: 0, failed: 0, cancelled: 0 },
  queue: { name: 'default', ready: 1, scheduled: 1, running: 2, blocked: 0, waiting: 0 },
  all: { ready: 1, scheduled: 1, running: 2, blocked: 0, waiting: 0 },
  gauge: ['cancelling 1', 'ready 1', 'running 1', 'scheduled 1'],
  measures: { waitingJobs: 1 },
}

test('few jobs are counted by who asks, and no count of them is kept', async () => {
  await someJobs()
  expect(await keepLiveCount(sql)).toBeNull()
  expect(await liveCountedAt(sql)).toBeNull()
  expect(await told()).toMatchObject(counted)
})

test('of many the last count is told, with its time', async () => {
  await someJobs()
  expect(await keepLiveCount(sql, many)).toBe(4)
  const countedAt = await liveCountedAt(sql)
  await queue.enqueue()
  expect(await told()).toMatchObject(counted)
  expect(await liveCountedAt(sql)).toEqual(countedAt)
})

test('ages are told as they were counted, not as if the oldest still waited', async () => {
  await queue.enqueue()
  await sql`update job_server.jobs set turn_at = now() - interval '100 seconds'`
  await keepLiveCount(sql, many)
  await sql`update job_server.live_count set counted_at = counted_at - interval '40 seconds'`
  const { queue: line } = await told()
  expect(line?.oldestAgeSeconds).toBeLessThan(100)
  const age = (await readFleet(sql)).find(({ name }) => name === 'job_server_jobs_count_age_seconds')
  expect(age?.samples[0]?.value).toBeGreaterThanOrEqual(40)
})

test('the next count waits until the last has rested', async () => {
  await queue.enqueue()
  expect(await keepLiveCount(sql, many)).toBe(1)
  await sql`update job_server.live_count set valid_until = valid_until + interval '30 seconds'`
  await queue.enqueue()
  expect(await keepLiveCount(sql, many)).toBeNull()
  await letRest()
  expect(await keepLiveCount(sql, many)).toBe(2)
})

test('a count that nobody renews is not told any more', async () => {
  await queue.enqueue()
  await keepLiveCount(sql, many)
  await queue.enqueue()
  await sql`update job_server.live_count set valid_until = now()`
  expect((await told()).queue?.ready).toBe(2)
  expect(await liveCountedAt(sql)).toBeNull()
})

test('when few are left they are counted by who asks again', async () => {
  await queue.enqueue()
  await keepLiveCount(sql, many)
  await queue.enqueue()
  await keepLiveCount(sql)
  expect((await told()).queue?.ready).toBe(2)
})

test('a job that ended since the count is told as unfinished and as finished, until the next', async () => {
  await queue.enqueue()
  await keepLiveCount(sql, many)
  const { lease } = await queue.claimOne()
  await finish(sql, [{ lease, end: { kind: 'succeeded', result: null } }])
  expect((await told()).byStatus).toMatchObject({ queued: 1, succeeded: 1 })
  await letRest()
  await keepLiveCount(sql, many)
  expect((await told()).byStatus).toMatchObject({ queued: 0, succeeded: 1 })
})

test('who is told a count reads no job', async () => {
  await queue.enqueue()
  const readers = () =>
    Promise.all([
      readDefinitionMetrics(observed.sql),
      listQueues(observed.sql, { limit: 100, offset: 0 }),
      readFleet(observed.sql),
    ])
  const tables = async () => {
    const plans = await observed.plansOf(readers, /live_count/)
    return plans.flatMap((plan) => wholeTablesRead(plan, /^jobs$/))
  }
  expect(await tables()).toHaveLength(3)
  await keepLiveCount(sql, many)
  expect(await tables()).toEqual([])
})
