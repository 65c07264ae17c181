/** The shipped processes over a database and a bucket of their own: API and any number of workers. */
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect } from 'vitest'
import type { Pool } from '../../core/db.ts'
import { isFinal, type JobStatus } from '../../core/job-state.ts'
import { ChildProcess } from '../../scripts/child-process.ts'
import { anyPort } from '../../scripts/ports.ts'
import { type TestDatabase, testDatabase } from './database.ts'
import { killQuietly, processesNaming } from './processes.ts'
import { type TestStorage, testStorage } from './storage.ts'
import { emptied, seldomMs, until } from './until.ts'

export interface TestServer {
  url: string
  database: TestDatabase
  bucket: TestStorage
  scratch: string
  readonly api: ChildProcess
  restartApi(signal: NodeJS.Signals): Promise<void>
  workers: ChildProcess[]
  request(method: string, path: string, body?: unknown): Promise<Response>
  enqueue(definitionKey: string, params?: object, options?: object): Promise<TestJob>
  job(jobId: string): TestJob
  workerOf(job: TestJob): Promise<ChildProcess>
  startWorker(environment?: Record<string, string>): Promise<ChildProcess>
}

interface JobAnswer {
  jobId: string
  status: JobStatus
  attempts: number
  workerId: string | null
  errorCode: string | null
  errorSummary: string | null
  result: unknown
  progress: { percent: number; phase?: string } | null
  attemptHistory: { attempt: number; outcome: string; workerId: string; errorCode: string | null }[]
}

export interface TestJob {
  id: string
  read(): Promise<JobAnswer>
  reaches(status: JobStatus, deadlineSeconds?: number): Promise<JobAnswer>
  events(): Promise<{ eventType: string; payload: Record<string, unknown> }[]>
}

/**
 * @param environment on top of what the processes need. What is about the end of a lease asks for a short one; elsewhere
 *   a busy machine must not cost a worker its jobs
 */
export async function startServer(
  options: {
    workers?: number
    environment?: Record<string, string>
    /** Lines that API and workers write. */
    onLine?: (line: string) => void
  } = {},
): Promise<TestServer> {
  const [database, bucket] = await Promise.all([testDatabase(), testStorage()])
  const scratch = await mkdtemp(join(tmpdir(), 'job-server-scratch-test-'))
  const port = await anyPort()
  const common = {
    PATH: process.env.PATH,
    // The FFmpeg that the tests themselves take.
    FFMPEG_PATH: process.env.FFMPEG_PATH ?? '',
    FFPROBE_PATH: process.env.FFPROBE_PATH ?? '',
    DATABASE_URL: database.url,
    ...bucket.environment,
    SCRATCH_DIRECTORY: scratch,
    POLL_INTERVAL_SECONDS: '1',
    SHUTDOWN_GRACE_SECONDS: '2',
    PORT: String(port),
    ...options.environment,
  }
  const { onLine } = options
  const startApi = () =>
    new ChildProcess({ name: 'api', entry: 'api/server.ts', environment: common, onLine })
  let api = startApi()
  const workers: ChildProcess[] = []
  const url = `http://127.0.0.1:${port}`

  const startWorker = async (environment: Record<string, string> = {}) => {
    const name = `worker-${workers.length + 1}`
    const worker = new ChildProcess({
      name,
      entry: 'worker/main.ts',
      environment: { ...common, WORKER_ID: name, ...environment },
      onLine,
    })
    workers.push(worker)
    await worker.ready
    return worker
  }
  // Registered after those of database and bucket, so it runs before them.
  afterAll(async () => {
    await Promise.all([api, ...workers].map((child) => child.stop(60)))
    // What killed workers had is cleared away by their guardians.
    const left = await emptied(() => processesNaming(scratch), 30, seldomMs)
    const directories = await emptied(() => leftInScratch(scratch))
    for (const { pid } of left) killQuietly(pid, 'SIGKILL')
    await rm(scratch, { recursive: true, force: true })
    expect(left, 'processes left behind').toEqual([])
    expect(directories, 'scratch directories left behind').toEqual([])
  })
  const first = Array.from({ length: options.workers ?? 1 }, () => startWorker())
  await Promise.all([api.ready, ...first])

  const request = (method: string, path: string, body?: unknown) =>
    fetch(`${url}${path}`, {
      method,
      redirect: 'manual',
      ...(body === undefined
        ? {}
        : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    })
  const job = (id: string): TestJob => {
    const read = async () => (await (await request('GET', `/v1/jobs/${id}`)).json()) as JobAnswer
    return {
      id,
      read,
      reaches: async (status, deadlineSeconds = 90) => {
        const reached = await until(
          `job ${id} to be ${status}`,
          async () => {
            if (isFinal(status) && (await isLive(database.sql, id))) return false
            const answer = await read()
            return (answer.status === status || isFinal(answer.status)) && answer
          },
          deadlineSeconds,
        )
        expect(reached, `job ${id}: ${reached.errorSummary}`).toMatchObject({ status })
        return reached
      },
      events: async () => {
        const answer = await (await request('GET', `/v1/jobs/${id}/events`)).json()
        return answer.events
      },
    }
  }
  return {
    url,
    database,
    bucket,
    scratch,
    get api() {
      return api
    },
    restartApi: async (signal) => {
      api.signal(signal)
      await api.exited
      api = startApi()
      await api.ready
    },
    workers,
    request,
    job,
    startWorker,
    enqueue: async (definitionKey, params = {}, more = {}) => {
      const response = await request('POST', '/v1/jobs', { definitionKey, params, ...more })
      expect(response.status).toBe(201)
      return job((await response.json()).jobId)
    },
    workerOf: async (of) => {
      const { workerId } = await of.read()
      const worker = workers.find(({ name }) => name === workerId)
      if (worker === undefined) throw new Error(`job ${of.id} is with ${workerId}, which is none of ours`)
      return worker
    },
  }
}

/** One small statement, where an answer of the API takes four or five: most of the waiting is for jobs to end. */
async function isLive(sql: Pool, id: string): Promise<boolean> {
  return (await sql`select from job_server.jobs where id = ${id}`).length > 0
}

/** Attempts' directories; those that coordinators keep for themselves are gone with their clean end. */
async function leftInScratch(scratch: string): Promise<string[]> {
  const root = join(scratch, 'job-server-scratch')
  if (!existsSync(root)) return []
  return await readdir(root)
}
