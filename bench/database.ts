/** A database of one bench's own, and the product's processes over it. */
import { fileURLToPath } from 'node:url'
import postgres from 'postgres'
import { openPool, type Pool } from '../core/db.ts'
import { type DefinitionRecord, discoverDefinitions } from '../core/definitions/discover.ts'
import { registerDefinitions } from '../core/definitions/register.ts'
import type { Json } from '../core/json.ts'
import { migrate } from '../core/migrate.ts'
import { ChildProcess } from '../scripts/child-process.ts'
import { anyPort } from '../scripts/ports.ts'

const builtInJobs = fileURLToPath(new URL('../jobs', import.meta.url))
const benchJobs = fileURLToPath(new URL('./jobs', import.meta.url))
const stopGraceSeconds = 20
const pollMs = 25

/** Connections of this process, as a process of the product has them by default. */
export const poolSize = 4

export interface SucceededJob {
  jobId: string
  /** Whole milliseconds. */
  startedAt: Date
  finishedAt: Date
  result: Json
}

/** A process of the product; it is an error when it ends before it is told to. */
export interface Running {
  url: string
  pid: number
  stop(): Promise<void>
  /** With SIGKILL. */
  kill(): Promise<void>
}

export class BenchDatabase {
  readonly url: string
  readonly sql: Pool
  definitions: DefinitionRecord[] = []
  readonly #processes: ChildProcess[] = []
  #ended: string | undefined

  constructor(
    private readonly name: string,
    private readonly environment: Record<string, string | undefined>,
  ) {
    const url = new URL(environment.DATABASE_URL ?? '')
    url.pathname = `/${name}`
    this.url = url.href
    this.sql = openPool({ DATABASE_URL: this.url, DATABASE_POOL_SIZE: poolSize }, 'job-server bench')
  }

  async open(): Promise<void> {
    await this.#administer((admin) => admin`create database ${admin(this.name)}`)
    await migrate(this.sql)
    // All there are: a worker claims for as many.
    const { definitions, broken } = await discoverDefinitions([builtInJobs, benchJobs])
    if (broken.length > 0) throw new Error(`broken definitions: ${JSON.stringify(broken)}`)
    await registerDefinitions(this.sql, definitions)
    this.definitions = definitions
  }

  /** Stops its processes and drops it, so that its upkeep does not fall into the next bench. */
  async close(): Promise<void> {
    await this.stopProcesses()
    await this.sql.end({ timeout: 1 })
    await this.#administer((admin) => admin`drop database ${admin(this.name)} with (force)`)
  }

  async stopProcesses(): Promise<void> {
    await Promise.all(this.#processes.splice(0).map((child) => child.stop(stopGraceSeconds)))
  }

  async startApi(environment: Record<string, string> = {}): Promise<Running> {
    const port = await anyPort()
    const settings = { PORT: String(port), ...environment }
    return await this.#start('api', 'api/server.ts', settings, `http://127.0.0.1:${port}`)
  }

  async startScheduler(environment: Record<string, string> = {}): Promise<Running> {
    return await this.#start('scheduler', 'scheduler/main.ts', environment, '')
  }

  /** With four slots and the defaults for all else that is not given. */
  async startWorker(environment: Record<string, string> = {}): Promise<Running> {
    const settings = { MAX_CONCURRENT_EXECUTIONS: '4', JOBS_DIR: benchJobs, ...environment }
    return await this.#start('worker', 'worker/main.ts', settings, '')
  }

  /**
   * Waits for the end of these jobs.
   * @returns in the order of the ids
   * @throws Error when one ends otherwise than by success, a process dies, or the deadline passes
   */
  async succeeded(jobIds: string[], deadlineSeconds = 60): Promise<SucceededJob[]> {
    const end = performance.now() + deadlineSeconds * 1000
    for (;;) {
      const jobs = await this.#readFinished(jobIds)
      const failed = jobs.find(({ status }) => status !== 'succeeded')
      if (failed !== undefined) {
        throw new Error(`job ${failed.jobId} ${failed.status}: ${failed.errorCode}: ${failed.errorSummary}`)
      }
      if (jobs.length === jobIds.length) return jobs
      if (this.#ended !== undefined) throw new Error(this.#ended)
      if (performance.now() > end) {
        const output = this.#processes.map(({ name, lastLines }) => `${name}: ${lastLines}`).join('\n')
        throw new Error(
          `waited ${deadlineSeconds} s in vain for ${jobIds.length - jobs.length} of ${jobIds.length} jobs\n${output}`,
        )
      }
      await Bun.sleep(pollMs)
    }
  }

  /** When a job was last claimed, in milliseconds since 1970 with their fractions, by the database's clock. */
  async claimedAtMs(jobId: string): Promise<number> {
    const [event] = await this.sql<{ atMs: number }[]>`
      select (extract(epoch from at) * 1000)::float8 as at_ms from job_server.events
      where job_id = ${jobId} and event_type = 'started'
      order by id desc
      limit 1`
    if (event === undefined) throw new Error(`job ${jobId} has no event that says when it was claimed`)
    return event.atMs
  }

  /** In milliseconds since 1970 with their fractions, by the database's clock. */
  async timeMs(): Promise<number> {
    const [now] = await this.sql<[{ ms: number }]>`
      select (extract(epoch from clock_timestamp()) * 1000)::float8 as ms`
    return now.ms
  }

  async #readFinished(jobIds: string[]) {
    return await this.sql<
      (SucceededJob & { status: string; errorCode: string | null; errorSummary: string | null })[]
    >`
      select job_history.id as job_id, status, started_at, finished_at, result, error_code, error_summary
      from unnest(${jobIds}::uuid[]) with ordinality as wanted (id, place)
      join job_server.job_history on job_history.id = wanted.id
      order by place`
  }

  /** What its processes are started with. */
  get processEnvironment(): Record<string, string | undefined> {
    return { ...this.environment, LOG_LEVEL: 'warn', DATABASE_URL: this.url }
  }

  async #start(
    name: string,
    entry: string,
    environment: Record<string, string>,
    url: string,
  ): Promise<Running> {
    const child = new ChildProcess({
      name,
      entry,
      environment: { ...this.processEnvironment, ...environment },
    })
    this.#processes.push(child)
    child.exited.then((status) => {
      if (!this.#processes.includes(child)) return
      this.#ended = `${name} ended by itself with status ${status}:\n${child.lastLines}`
    })
    await child.ready
    const end = async (act: () => Promise<unknown>) => {
      const place = this.#processes.indexOf(child)
      if (place !== -1) this.#processes.splice(place, 1)
      await act()
    }
    return {
      url,
      pid: child.pid,
      stop: () => end(() => child.stop(stopGraceSeconds)),
      kill: () =>
        end(async () => {
          child.signal('SIGKILL')
          await child.exited
        }),
    }
  }

  async #administer(act: (admin: postgres.Sql) => Promise<unknown>): Promise<void> {
    const admin = postgres(this.environment.DATABASE_URL ?? '', { max: 1, onnotice: () => {} })
    try {
      await act(admin)
    } finally {
      await admin.end({ timeout: 1 })
    }
  }
}
