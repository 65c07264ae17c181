import { mkdtempSync, rmSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { startServer } from '../support/server.ts'
import { until } from '../support/until.ts'

const jobs = new URL('../fixtures/hooked-jobs', import.meta.url).pathname
const logged: string[] = []
const server = await startServer({
  environment: { JOBS_DIR: jobs },
  onLine: (line) => {
    if (line.includes('"hook.logged"')) logged.push(line)
  },
})
const directory = mkdtempSync(join(tmpdir(), 'job-server-hooks-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

let count = 0
async function run(params: object) {
  const notes = join(directory, String(++count))
  const job = await server.enqueue('hooked', { notes, ...params })
  const told = async () =>
    (await readFile(notes, 'utf8').catch(() => ''))
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line))
  return {
    job,
    /** What the hooks noted, once the last of them has. */
    notes: () =>
      until('onEnd to be noted', async () => {
        const lines = await told()
        return lines.at(-1)?.hook === 'onEnd' && lines
      }),
  }
}

test('a job that succeeds: onStart, onSuccess, onEnd, with what became of it', async () => {
  const { job, notes } = await run({ end: 'succeed' })
  await job.reaches('succeeded')
  expect(await notes()).toEqual([
    { hook: 'onStart', attempt: 1 },
    { hook: 'onSuccess', attempt: 1, status: 'succeeded', result: { well: true } },
    { hook: 'onEnd', attempt: 1, status: 'succeeded', result: { well: true } },
  ])
})

test('a hook enqueues what comes next', async () => {
  const { job, notes } = await run({ end: 'succeed', hooks: 'enqueue' })
  await job.reaches('succeeded')
  await notes()
  const { jobs: next } = await (await server.request('GET', '/v1/jobs?tag=next')).json()
  expect(next).toHaveLength(1)
  await server.job(next[0].jobId).reaches('succeeded')
})

test('a job that fails: onRetry between the attempts, then onFail, onDeadLetter, onEnd', async () => {
  const { job, notes } = await run({ end: 'fail' })
  await job.reaches('failed')
  expect((await notes()).map(({ hook, attempt }) => `${hook} ${attempt}`)).toEqual([
    'onStart 1',
    'onRetry 1',
    'onStart 2',
    'onFail 2',
    'onDeadLetter 2',
    'onEnd 2',
  ])
})

test('a job that is cancelled: onCancel', async () => {
  const { job, notes } = await run({ end: 'wait' })
  await job.reaches('running')
  await server.request('POST', `/v1/jobs/${job.id}/cancel`)
  await job.reaches('cancelled')
  expect((await notes()).map(({ hook }) => hook)).toEqual(['onStart', 'onCancel', 'onEnd'])
})

test.each([
  ['throw', 'the hook stumbled', ['onStart', 'onSuccess', 'onEnd']],
  // With its process goes the hook of its directory for the same moment.
  ['exit', 'The process exited with status 3.', ['onStart', 'onEnd']],
] as const)('a hook that fails (%s) is recorded and changes nothing', async (hooks, error, noted) => {
  const { job, notes } = await run({ end: 'succeed', hooks })
  expect(await job.reaches('succeeded')).toMatchObject({ attempts: 1, result: { well: true } })
  expect((await notes()).map(({ hook }) => hook)).toEqual(noted)
  const failed = await until('the failure to be an event', async () =>
    (await job.events()).find(({ eventType }) => eventType === 'hook_failed'),
  )
  expect(failed.payload).toEqual({ hook: 'onSuccess', error })
})

test('a hook that hangs does not keep the hook of its directory from its turn', async () => {
  const { job, notes } = await run({ end: 'succeed', hooks: 'hang' })
  await job.reaches('succeeded')
  expect((await notes()).map(({ hook }) => hook)).toEqual(['onStart', 'onSuccess', 'onEnd'])
})

test('hooks whose worker stops are run again, at once, that of the directory too, even if the own one ends well', async () => {
  const other = await startServer({ workers: 0, environment: { JOBS_DIR: jobs } })
  const notes = join(directory, 'stopped')
  const noted = async () =>
    (await readFile(notes, 'utf8').catch(() => ''))
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line).hook)
  const worker = await other.startWorker()
  await other.enqueue('hooked', { notes, end: 'succeed', hooks: 'linger' })
  await until('its own hook to begin', async () => (await noted()).includes('own'))
  await worker.stop(60)
  const left = await other.database.sql<{ tries: number; taken: boolean }[]>`
    select tries, lease_expires_at > now() as taken from job_server.hook_runs`
  expect(left).toMatchObject([
    { tries: 0, taken: false },
    { tries: 0, taken: false },
  ])
  await other.startWorker()
  await until('the last hook', async () => (await noted()).includes('onEnd'))
  expect(await noted()).toEqual(['onStart', 'own', 'own', 'onSuccess', 'onEnd'])
})

test('what a hook logs stands in the log of its worker, with its fields', async () => {
  const { job, notes } = await run({ end: 'succeed', hooks: 'log' })
  await notes()
  const line = await until('the line', async () => logged.find((each) => each.includes(job.id)))
  expect(JSON.parse(line)).toMatchObject({
    hook: 'onSuccess',
    text: 'sending',
    fields: { orderId: 7 },
  })
})
