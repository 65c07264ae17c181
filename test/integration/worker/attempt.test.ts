import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import pino from 'pino'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import { openPool } from '../../../core/db.ts'
import { recordOf } from '../../../core/definitions/discover.ts'
import { defaultJobLimits } from '../../../core/job-limits.ts'
import type { ClaimedJob } from '../../../core/queue/claim.ts'
import type { End } from '../../../core/queue/finish.ts'
import { passingTracer } from '../../../core/trace/tracer.ts'
import echo from '../../../jobs/echo.ts'
import { Attempt, type AttemptDependencies } from '../../../worker/attempt.ts'
import { Guardian } from '../../../worker/guardian.ts'
import { JobProcess } from '../../../worker/job-process.ts'
import { LimitWatch } from '../../../worker/limits.ts'
import { Reporter } from '../../../worker/reporter.ts'
import { Scratch } from '../../../worker/scratch.ts'
import { Turn } from '../../../worker/turn.ts'
import { testDatabase } from '../../support/database.ts'
import { openLine } from '../../support/line.ts'
import { testStorage } from '../../support/storage.ts'

const log = pino({ level: 'silent' })
const environment = { PATH: process.env.PATH }
const { sql, url } = await testDatabase()
const { storage } = await testStorage()
const directory = await mkdtemp(join(tmpdir(), 'job-server-attempt-'))
const scratch = new Scratch(directory)
await scratch.start()
const guardian = new Guardian({ directories: [], environment, log })
guardian.start()
afterAll(async () => {
  await guardian.stop()
  await rm(directory, { recursive: true, force: true })
})

const child = fileURLToPath(new URL('../../../worker/child.ts', import.meta.url))
const warmUp = fileURLToPath(new URL('../../../worker/child-warm-up.ts', import.meta.url))
const definition = recordOf(echo, {
  file: fileURLToPath(new URL('../../../jobs/echo.ts', import.meta.url)),
  hooks: { file: null, names: [] },
})
/** A program that dies before it takes up any job. */
const dies = join(directory, 'dies.ts')
await writeFile(dies, 'process.exit(1)')
/** One whose job is to wait for children. */
const waits = join(directory, 'waits.ts')
await writeFile(
  waits,
  `import { readSync, writeSync } from 'node:fs'
const say = (message) => writeSync(3, JSON.stringify(message) + '\\n')
say({ type: 'ready' })
readSync(3, new Uint8Array(65536))
say({ type: 'children', run: 1, jobs: [{ definitionKey: 'echo' }], onFailure: 'fail' })`,
)

let epoch = 0

/** Runs an echo job in processes that run these programs, one after the other. @returns its end */
async function endIn(...programs: string[]): Promise<{ end: End; left: string[] }> {
  return await endOf(programs, async ({ params }) => params)
}

async function endOf(
  programs: string[],
  paramsOf: AttemptDependencies['paramsOf'],
  {
    reporter = new Reporter(sql, log, { leaseSeconds: 60 }),
    ending = () => {},
    finishWithChildren = async () => 'lost',
  }: Partial<Pick<AttemptDependencies, 'reporter' | 'finishWithChildren'>> & { ending?: () => void } = {},
): Promise<{ end: End; left: string[] }> {
  const left = [...programs]
  const lease = { jobId: Bun.randomUUIDv7(), epoch: String(++epoch) }
  const job: ClaimedJob = {
    lease,
    definitionKey: 'echo',
    definitionVersion: 1,
    attempt: 1,
    maxAttempts: 1,
    timeoutSeconds: 20,
    backoff: null,
    priority: 0,
    params: { message: 'hello' },
    checkpoint: null,
    childrenSince: null,
    queue: 'default',
    queuedAt: new Date(),
    startedAt: new Date(),
    claimableAt: null,
    traceparent: null,
    tracestate: null,
  }
  const { promise, resolve } = Promise.withResolvers<End>()
  const take = () => {
    const command = [left.shift() ?? child, warmUp]
    const process = new JobProcess({ command, directory, environment, guardian, log })
    return { process, runsPerProcess: 1, waitIn: directory, giveBack: () => {} }
  }
  const turn = new Turn(definition, lease.epoch, {
    standby: { take },
    scratch,
    limits: new LimitWatch(log),
    log,
  })
  const attempt = new Attempt(job, definition, turn, {
    sql,
    storage,
    log,
    reporter,
    tools: { ffmpeg: '', ffprobe: '' },
    jobLimits: defaultJobLimits,
    fleetFor: async () => ({ slots: 1, freeSlots: 0 }),
    stopGraceSeconds: 1,
    paramsOf,
    tracer: passingTracer,
    finish: async (_, end) => {
      ending()
      resolve(end)
      return { lease, status: 'succeeded' }
    },
    finishWithChildren,
  })
  await attempt.done
  return { end: await promise, left }
}

test('a process that dies before it takes up its job costs the job nothing', async () => {
  expect((await endIn(dies, dies, child)).end).toEqual({ kind: 'succeeded', result: { message: 'hello' } })
})

test('three that die are a failure, which says how', async () => {
  const { end, left } = await endIn(dies, dies, dies, child)
  expect(end).toMatchObject({ kind: 'failed', errorCode: 'process_exited', details: { exitCode: 1 } })
  expect(left).toEqual([child])
})

test('a job gets what was prepared for it in place of its parameters', async () => {
  const { end } = await endOf([child], async () => ({ message: 'prepared' }))
  expect(end).toEqual({ kind: 'succeeded', result: { message: 'prepared' } })
})

test('a job that is not wanted any more is cancelled without a process', async () => {
  expect(await endOf([child], async () => null)).toEqual({ end: { kind: 'cancelled' }, left: [child] })
})

test('a job whose children another transaction is in the way of is tried again, and has crashed nothing', async () => {
  const finishWithChildren = (): Promise<never> =>
    sql.begin(async (tx) => {
      await tx`lock table job_server.lanes in share mode`
      await sql.begin(async (other) => {
        await other`set local lock_timeout = '50ms'`
        await other`lock table job_server.lanes in exclusive mode`
      })
      throw new Error('nothing was in the way')
    })
  const { end } = await endOf([waits], async ({ params }) => params, { finishWithChildren })
  expect(end).toMatchObject({ errorCode: 'worker_error', retry: true, crashed: false })
})

test('what a job reported last is written before its end, though the database was away', async () => {
  const line = await openLine(url)
  const byLine = openPool({ DATABASE_URL: line.url, DATABASE_POOL_SIZE: 1 }, 'test')
  onTestFinished(() => byLine.end({ timeout: 1 }))
  await byLine`select 1`
  line.drop()
  let failures = 0
  const failed = () => {
    if (++failures === 2) void line.restore()
  }
  const reporter = new Reporter(byLine, pino({ level: 'warn' }, { write: failed }), { leaseSeconds: 60 })
  let failuresBefore = 0
  await endOf(
    [],
    async ({ lease }) => {
      reporter.add(lease, { type: 'checkpoint', run: 0, value: 7 })
      return null
    },
    {
      reporter,
      ending: () => {
        failuresBefore = failures
      },
    },
  )
  expect(failuresBefore).toBeGreaterThanOrEqual(2)
})
