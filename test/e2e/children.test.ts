import { expect, test } from 'vitest'
import { startServer } from '../support/server.ts'
import { until } from '../support/until.ts'

const jobs = new URL('../fixtures/family-jobs', import.meta.url).pathname
const server = await startServer({ environment: { JOBS_DIR: jobs } })

test('a job fans out to children and goes on with their results, on one attempt', async () => {
  const job = await server.enqueue('sum.of.squares', { numbers: [1, 2, 3] })
  expect(await job.reaches('succeeded')).toMatchObject({
    attempts: 1,
    result: { sum: 14, stored: ['1', '4', '9'], failures: [], checkpoint: { asked: 3 }, attempt: 1 },
  })
  expect((await job.read()).attemptHistory.map(({ outcome }) => outcome)).toEqual(['waiting', 'succeeded'])
})

test('a child that fails fails its parent, or is told to it', async () => {
  const failing = await server.enqueue('sum.of.squares', { numbers: [1, -1, 2] })
  expect(await failing.reaches('failed')).toMatchObject({ errorCode: 'child_failed' })
  const patient = await server.enqueue('sum.of.squares', { numbers: [1, -1, 2], onFailure: 'continue' })
  expect((await patient.reaches('succeeded')).result).toMatchObject({ sum: 5, failures: ['negative'] })
})

test('children that can not be enqueued fail the job, and none of them is there', async () => {
  const job = await server.enqueue('ask.for.nonsense')
  expect(await job.reaches('failed')).toMatchObject({ attempts: 1, errorCode: 'invalid_children' })
  const [row] = await server.database.sql<{ count: number }[]>`select count(*)::int from job_server.jobs`
  expect(row?.count).toBe(0)
})

test('cancelling a waiting job stops its children, and what it had stored goes', async () => {
  const { sql } = server.database
  const before = await server.bucket.keys()
  const job = await server.enqueue('slow.family')
  const child = await until('a child to run', async () => {
    const [running] = await sql<{ id: string }[]>`
      select id from job_server.jobs where parent_id = ${job.id} and state = 'running'`
    return running
  })
  expect(await server.bucket.keys()).toHaveLength(before.length + 1)
  await server.request('POST', `/v1/jobs/${job.id}/cancel`)
  await job.reaches('cancelled')
  await server.job(child.id).reaches('cancelled')
  const [row] = await sql<{ count: number }[]>`select count(*)::int from job_server.jobs`
  expect(row?.count).toBe(0)
  const [stray] = await sql<{ count: number }[]>`
    select count(*)::int from job_server.stray_outputs where job_id = ${job.id} and remove_after <= now()`
  expect(stray?.count).toBe(1)
})
