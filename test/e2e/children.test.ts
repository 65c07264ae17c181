import { expect, test } from 'vitest'
import { startServer } from '../support/server.ts'
import { until } from '../support/until.ts'

const jobs = new URL('../fixtures/family-jobs', import.meta.url).pathname
const lines: string[] = []
const server = await startServer({ environment: { JOBS_DIR: jobs }, onLine: (line) => lines.push(line) })

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
  const unknown = await server.enqueue('ask.for.nonsense')
  expect(await unknown.reaches('failed')).toMatchObject({
    attempts: 1,
    errorCode: 'invalid_children',
    errorSummary: expect.stringContaining('jobs.1.definitionKey: No definition "nowhere"'),
  })
  const ended = await until('the end in the log', () =>
    lines.find((line) => line.includes('attempt.ended') && line.includes(unknown.id)),
  )
  expect(JSON.parse(ended)).toMatchObject({ end: 'threw', status: 'failed', errorCode: 'invalid_children' })
  const wrong = await server.enqueue('ask.for.nonsense', { second: 'wrong' })
  expect(await wrong.reaches('failed')).toMatchObject({
    errorCode: 'invalid_children',
    errorSummary: expect.stringMatching(/what "square" takes\. jobs\.1\.params\.number: \S/),
  })
  const untried = await server.enqueue('ask.for.nonsense', { second: 'untried' })
  expect(await untried.reaches('failed')).toMatchObject({
    attempts: 1,
    errorCode: 'invalid_children',
    errorSummary: expect.stringMatching(/jobs\.1\.maxAttempts: \S/),
  })
  const [row] = await server.database.sql<{ count: number }[]>`select count(*)::int from job_server.jobs`
  expect(row?.count).toBe(0)
})

test('a job enqueues another that goes its own way, and a repeated attempt meets the same', async () => {
  const another = { definitionKey: 'square', params: { number: 3 } }
  const job = await server.enqueue('enqueue.another', { another })
  const { result } = await job.reaches('succeeded')
  const [first] = (result as { enqueued: { jobId: string }[] }).enqueued
  const met = { jobId: first?.jobId, created: false }
  expect(result).toEqual({ enqueued: [met, met] })
  expect(await server.job(first?.jobId ?? '').reaches('succeeded')).toMatchObject({
    parentId: null,
    tags: ['another'],
  })
  const { jobs: found } = await (await server.request('GET', '/v1/jobs?tag=another')).json()
  expect(found).toHaveLength(1)
})

test.each([
  ['parameters', { definitionKey: 'square', params: { number: 'three' } }, /params\.number: /],
  ['definition', { definitionKey: 'nowhere' }, /No definition "nowhere"/],
  ['words', { definitionKey: 'square', params: { number: 1 }, delaySecond: 5 }, /delaySecond/],
])(
  'a job that enqueues another with wrong %s fails for good, and is told what is wrong',
  async (_what, another, told) => {
    const job = await server.enqueue('enqueue.another', { another })
    expect(await job.reaches('failed')).toMatchObject({
      attempts: 1,
      errorCode: 'invalid_job',
      errorSummary: expect.stringMatching(told),
    })
  },
)

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
