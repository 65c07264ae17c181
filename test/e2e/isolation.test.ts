import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readLogs } from '../../core/queue/logs.ts'
import { processesNaming } from '../support/processes.ts'
import { startServer, type TestJob } from '../support/server.ts'
import { until } from '../support/until.ts'

const jobs = fileURLToPath(new URL('../fixtures/jobs', import.meta.url))
const server = await startServer({
  environment: {
    JOBS_DIR: jobs,
    MAX_CONCURRENT_EXECUTIONS: '3',
    STANDBY_PROCESSES: '2',
    JOB_ENVIRONMENT: 'BILLING_URL,UNSET',
    BILLING_URL: 'https://billing.example',
    UNNAMED_KEY: 'not for jobs',
  },
})
const { sql } = server.database

/** Runs beside all others, on the same worker, and must not notice any of them. */
let neighbour: TestJob
const neighboursSign = join(server.scratch, 'neighbour-may-end')

beforeAll(async () => {
  neighbour = await server.enqueue('neighbour', { until: neighboursSign })
  await neighbour.reaches('running')
})

afterAll(async () => {
  await writeFile(neighboursSign, '')
  expect(await neighbour.reaches('succeeded'), 'the neighbour').toMatchObject({ attempts: 1, result: 'done' })
})

interface AttemptRow {
  outcome: string
  errorCode: string | null
  error: {
    message: string
    details?: { lastLines?: string[]; peakMemoryBytes?: number; exitCode?: number; signal?: string }
  } | null
}

async function attemptsOf(job: TestJob): Promise<AttemptRow[]> {
  return await sql<AttemptRow[]>`
    select outcome, error_code, error from job_server.attempts where job_id = ${job.id} order by lease_epoch`
}

async function logsOf(job: TestJob) {
  return await readLogs(sql, job.id, { limit: 10_000 })
}

const failures: [how: string, errorCode: string, timeoutSeconds?: number][] = [
  ['throw', 'threw'],
  ['throw outside its promise', 'uncaught_exception'],
  ['reject a promise nobody awaits', 'unhandled_rejection'],
  ['throw what has no text', 'threw'],
  ['exit with status 3', 'process_exited'],
  ['exit with status 0', 'exited_without_result'],
  ['kill itself', 'process_killed'],
  ['return a cycle', 'unserialisable_result'],
  ['return a bigint', 'unserialisable_result'],
  ['return a function', 'unserialisable_result'],
  ['return a deep tower', 'unserialisable_result'],
  ['return 9 MB', 'result_too_large'],
  ['report an event of 1 MB', 'report_too_large'],
  ['report a number', 'threw'],
  ['report an event of a date', 'threw'],
  ['save nothing as a checkpoint', 'threw'],
  ['ask for no time', 'busy'],
  ['sleep backwards', 'threw'],
  ['have no list of children', 'invalid_children'],
  ['ignore signals and the abort', 'timed_out', 0.3],
  ['block its event loop', 'timed_out', 0.5],
  ['close its channel', 'protocol_error'],
  ['close its channel and return', 'protocol_error'],
  ['write what is no message', 'protocol_error'],
  ['write a message without an end', 'protocol_error'],
  ['leave children and exit', 'process_exited'],
]

test.each(failures)(
  'a job that does this: "%s" fails with %s and leaves nothing',
  async (how, errorCode, timeoutSeconds) => {
    const job = await server.enqueue(
      'misbehave',
      { how },
      timeoutSeconds === undefined ? {} : { timeoutSeconds },
    )
    expect(await job.reaches('failed')).toMatchObject({ attempts: 1, errorCode })
    expect(await attemptsOf(job)).toMatchObject([{ errorCode }])
    expect(await processesNaming(job.id), 'processes left').toEqual([])
  },
)

test.each(['leave children and daemons', 'block while it exits', 'close its output'])(
  'a job that does this: "%s" succeeds all the same and leaves nothing',
  async (how) => {
    const job = await server.enqueue('misbehave', { how })
    expect(await job.reaches('succeeded')).toMatchObject({ attempts: 1 })
    expect(await processesNaming(job.id), 'processes left').toEqual([])
  },
)

test('children of a job are there to be found while it runs', async () => {
  const job = await server.enqueue('misbehave', { how: 'block its event loop' })
  await until('the child of the job', async () => (await processesNaming(job.id)).length > 0)
  await server.request('POST', `/v1/jobs/${job.id}/cancel`)
  await job.reaches('cancelled')
})

describe('limits', () => {
  test.each(['itself', 'child'])(
    'memory filled by %s ends the attempt with what is known of it',
    async (by) => {
      const job = await server.enqueue('hoard.memory', { by })
      await job.reaches('failed')
      const [attempt] = await attemptsOf(job)
      expect(attempt).toMatchObject({
        errorCode: 'out_of_memory',
        error: { details: { lastLines: ['about to hoard'] } },
      })
      expect(attempt?.error?.details?.peakMemoryBytes).toBeGreaterThan(400 * 1024 * 1024)
    },
  )

  test('a full scratch directory ends the attempt', async () => {
    const job = await server.enqueue('hoard.disk')
    expect(await job.reaches('failed')).toMatchObject({ errorCode: 'scratch_limit_exceeded' })
  })

  test('what a job writes is kept by lines, with stream, level and fields', async () => {
    const job = await server.enqueue('talk')
    await job.reaches('succeeded')
    const lines = await logsOf(job)
    expect(lines).toHaveLength(3)
    expect(lines).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ stream: 'stdout', level: null, text: 'first', fields: null }),
        expect.objectContaining({ stream: 'stderr', level: null, text: 'first error' }),
        expect.objectContaining({
          stream: 'log',
          level: 'warn',
          text: 'first of the log',
          fields: { of: 0 },
        }),
      ]),
    )
  })

  test('what is logged beside a text is kept as fields, whatever it is', async () => {
    const job = await server.enqueue('misbehave', { how: 'log what are no fields' })
    expect(await job.reaches('succeeded')).toMatchObject({ result: 'said it' })
    expect((await logsOf(job)).map(({ text, fields }) => ({ text, fields }))).toEqual([
      { text: 'it failed', fields: { error: expect.stringContaining('Error: with this text') } },
      { text: 'rows', fields: { value: 5 } },
      { text: 'nothing', fields: null },
    ])
  })

  test('what a job writes just before it ends is kept to the last line', async () => {
    const job = await server.enqueue('write.at.the.end')
    await job.reaches('succeeded')
    expect((await logsOf(job)).at(-1)).toMatchObject({ stream: 'stdout', text: 'the very last line' })
  })

  test('a job that prints 200 MB is not slowed: the limit is kept, the rest is counted', async () => {
    const printBytes = 200_000_000
    const job = await server.enqueue('talk', { printBytes }, { timeoutSeconds: 80 })
    expect(await job.reaches('succeeded')).toMatchObject({ result: 'said it all' })
    const lines = await logsOf(job)
    expect(lines.reduce((sum, { text }) => sum + text.length, 0)).toBeLessThan(11_000)
    const note = lines.at(-1)
    expect(note).toMatchObject({ stream: 'log', level: 'warn' })
    expect(Number(/^(\d+) bytes/.exec(note?.text ?? '')?.[1])).toBeGreaterThan(printBytes - 11_000)
  })

  test('a job that logs 200,000 lines and reports a flood of events ends as if it had not', async () => {
    const job = await server.enqueue('talk', { logLines: 200_000, events: 20_000 })
    expect(await job.reaches('succeeded')).toMatchObject({ attempts: 1 })
    expect((await logsOf(job)).length).toBeLessThan(300)
    expect((await job.events()).length).toBeLessThan(2_000)
  })

  test('a crash keeps the exit code and the last lines', async () => {
    const job = await server.enqueue('misbehave', { how: 'exit with status 3' })
    await job.reaches('failed')
    const [attempt] = await attemptsOf(job)
    expect(attempt?.error?.details).toMatchObject({ exitCode: 3 })
    expect(attempt?.error?.details?.peakMemoryBytes).toBeGreaterThan(1024 * 1024)
  })
})

test('a job file gets the zod that was compiled ahead, whole and once', async () => {
  const job = await server.enqueue('look.around')
  expect(await job.reaches('succeeded')).toMatchObject({ result: { isOneZod: true, zodFiles: 1 } })
})

test('a job sees of the environment what the list and JOB_ENVIRONMENT allow, and no more', async () => {
  const job = await server.enqueue('look.around')
  const { result } = (await job.reaches('succeeded')) as { result: Record<string, unknown> }
  expect(Object.keys(result.environment as object).sort()).toEqual([
    'BILLING_URL',
    'JOB_SERVER_PROCESS',
    'PATH',
    'TMPDIR',
  ])
  expect(result.environment).toMatchObject({ BILLING_URL: 'https://billing.example' })
  const text = JSON.stringify(result)
  for (const secret of [server.database.url, ...Object.values(server.bucket.environment).slice(0, 4)])
    expect(text).not.toContain(secret)
  expect(result).toMatchObject({ directory: result.scratchDirectory, files: [], nice: 7, canSend: false })
})

describe('a definition whose processes run three jobs each', () => {
  interface Result {
    pid: number
    runs: number
  }
  const run = async (then = 'return') => {
    const job = await server.enqueue('reused', { and: then })
    const answer = await job.reaches(then === 'throw' ? 'failed' : 'succeeded')
    return { job, ...(answer.result as Result) }
  }

  test('shares a process among three, and each job gets its own output', async () => {
    const first = await run()
    const second = await run()
    const third = await run()
    const fourth = await run()
    expect([first, second, third].map(({ pid, runs }) => ({ pid, runs }))).toEqual(
      [1, 2, 3].map((runs) => ({ pid: first.pid, runs })),
    )
    expect(fourth).toMatchObject({ runs: 1 })
    for (const { job } of [first, second, third, fourth]) {
      const lines = await logsOf(job)
      expect(lines.map(({ text }) => text).sort()).toEqual([`logged in ${job.id}`, `printed in ${job.id}`])
    }
  })

  test.each(['throw', 'leave a child', 'stray'])(
    'drops a process at the first abnormal sign: %s',
    async (then) => {
      const { job } = await run(then)
      expect(await run()).toMatchObject({ runs: 1 })
      expect(await processesNaming(job.id)).toEqual([])
    },
  )
})

describe('a job says how its attempt ends', () => {
  test('fail: with its code, as often as there are attempts', async () => {
    const job = await server.enqueue(
      'ask.for.more',
      { how: 'fail' },
      { maxAttempts: 2, backoff: { baseSeconds: 0 } },
    )
    expect(await job.reaches('failed')).toMatchObject({
      attempts: 2,
      errorCode: 'no_luck',
      errorSummary: 'failed once too often',
    })
  })

  test('fail for good: no other attempt', async () => {
    const job = await server.enqueue('ask.for.more', { how: 'fail for good' })
    expect(await job.reaches('failed')).toMatchObject({ attempts: 1, errorCode: 'failed' })
  })

  test('retryIn: the next attempt begins after exactly so long', async () => {
    const job = await server.enqueue('ask.for.more', { how: 'retry in' })
    expect(await job.reaches('succeeded')).toMatchObject({ attempts: 2, result: { times: 1, attempt: 2 } })
    expect(await attemptsOf(job)).toMatchObject([{ errorCode: 'retry_in' }, { outcome: 'succeeded' }])
    await expectPause(job, 0.5)
  })

  test('snooze: later, as often as it likes, and no attempt is spent', async () => {
    const job = await server.enqueue('ask.for.more', { how: 'snooze' })
    expect(await job.reaches('succeeded')).toMatchObject({ attempts: 1, result: { times: 4, attempt: 1 } })
  })

  test("a definition's own backoff function is asked, with attempt and error", async () => {
    const job = await server.enqueue('ask.for.more', { how: 'throw' })
    await job.reaches('succeeded')
    await expectPause(job, 0.25)
  })

  /** Exactly so long it was to be; when it is over a busy machine may take longer still. */
  async function expectPause(job: TestJob, seconds: number) {
    const retry = (await job.events()).find(({ eventType }) => eventType === 'retry_scheduled')
    expect(retry?.payload).toMatchObject({ retryInSeconds: seconds })
    const [pause] = await sql<{ seconds: number }[]>`
      select extract(epoch from started_at - lag(ended_at) over (order by lease_epoch))::float8 as seconds
      from job_server.attempts where job_id = ${job.id} order by lease_epoch offset 1 limit 1`
    expect(pause?.seconds).toBeGreaterThanOrEqual(seconds)
  }
})
