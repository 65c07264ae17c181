import { afterEach, expect, test } from 'vitest'
import { newId } from '../../../../core/ids.ts'
import { admitWaiting } from '../../../../core/queue/admit.ts'
import { finishWithChildren } from '../../../../core/queue/finish.ts'
import { readWaitsFor } from '../../../../core/queue/waits-for.ts'
import { pauseQueue } from '../../../../core/queues/pause.ts'
import { beat } from '../../../../core/workers/beat.ts'
import { testDatabase } from '../../../support/database.ts'
import { testQueue } from '../../../support/queue.ts'

const { sql } = await testDatabase()
const nothing = { jobIds: [], concurrencyKey: null }

afterEach(async () => {
  await sql`truncate job_server.jobs, job_server.lanes, job_server.definitions, job_server.queues, job_server.workers`
})

async function serve({ queues = ['default'], definitions = ['test@1'] } = {}): Promise<void> {
  await beat(sql, { id: 'w1', kind: 'worker', slots: 1, info: { queues, definitions } })
}

test('a job that is ready waits for a worker that serves its queue and definition, then for a slot', async () => {
  const queue = await testQueue(sql)
  const jobId = await queue.enqueue()
  const noWorker = { ...nothing, reason: 'no_worker' }
  expect(await readWaitsFor(sql, jobId)).toEqual(noWorker)
  await serve({ queues: ['other'] })
  expect(await readWaitsFor(sql, jobId)).toEqual(noWorker)
  await serve({ definitions: ['test@2'] })
  expect(await readWaitsFor(sql, jobId)).toEqual(noWorker)
  for (const queues of [['default'], []]) {
    await serve({ queues })
    expect(await readWaitsFor(sql, jobId)).toEqual({ ...nothing, reason: 'slot' })
  }
  await sql`update job_server.workers set heartbeat_at = now() - interval '1 hour'`
  expect(await readWaitsFor(sql, jobId)).toEqual(noWorker)
  await queue.claimOne()
  expect(await readWaitsFor(sql, jobId)).toBe(null)
  expect(await readWaitsFor(sql, newId())).toBe(null)
})

test('a job waits for its time, for others, for its key, for its queue', async () => {
  const queue = await testQueue(sql)
  await serve()
  const delayed = await queue.enqueue({ delaySeconds: 1000 })
  expect(await readWaitsFor(sql, delayed)).toEqual({ ...nothing, reason: 'time' })
  const dependent = await queue.enqueue({ dependsOn: [delayed] })
  expect(await readWaitsFor(sql, dependent)).toEqual({
    ...nothing,
    reason: 'dependencies',
    jobIds: [delayed],
  })

  await queue.enqueue()
  const parent = await queue.claimOne()
  await finishWithChildren(sql, parent.lease, {
    jobs: [{ definitionKey: 'test', delaySeconds: 1000 }],
    onFailure: 'fail',
  })
  expect(await readWaitsFor(sql, parent.lease.jobId)).toMatchObject({
    reason: 'children',
    jobIds: [expect.any(String)],
  })

  await queue.enqueue({ concurrencyKey: 'k' })
  const second = await queue.enqueue({ concurrencyKey: 'k', queue: 'slow' })
  await admitWaiting(sql, null)
  expect(await readWaitsFor(sql, second)).toEqual({
    ...nothing,
    reason: 'concurrency_key',
    concurrencyKey: 'k',
  })
  await pauseQueue(sql, 'slow')
  expect(await readWaitsFor(sql, second)).toMatchObject({ reason: 'paused_queue' })
})

test.each([
  { what: 'of jobs at once', limits: { concurrencyLimit: 1 } },
  { what: 'of starts', limits: { rateLimit: { count: 1, seconds: 3600 } } },
])('a job waits for the limit of its definition $what', async ({ limits }) => {
  const queue = await testQueue(sql, limits)
  await serve()
  await queue.enqueue()
  const second = await queue.enqueue()
  expect(await readWaitsFor(sql, second)).toMatchObject({ reason: 'slot' })
  await queue.claimOne()
  expect(await readWaitsFor(sql, second)).toEqual({ ...nothing, reason: 'limit' })
})
