/**
 * The whole product on one machine: embedded PostgreSQL and S3 (unless DATABASE_URL or S3_ENDPOINT name others),
 * migrations, then API, worker and scheduler, each in a process of its own. It stops in the other
 * order, so that running jobs can still write their end.
 */
import { Database } from 'bun:sqlite'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { ConfigError, parseConfig } from '../core/config.ts'
import { ChildProcess } from './child-process.ts'
import { startPostgres, startS3 } from './embedded/servers.ts'
import { freePort, isFree } from './ports.ts'
import { buildWebIfStale } from './web-files.ts'

const defaultPorts = { api: 3000, postgres: 54320, s3: 54390 }
const bucket = 'job-server'
const processGraceSeconds = 45

export const dataDirectory = resolve('.data')
const infoFile = join(dataDirectory, 'stack.json')

export const StackInfo = z.object({
  pid: z.int(),
  apiUrl: z.string(),
  databaseUrl: z.string(),
  s3Endpoint: z.string(),
  bucket: z.string(),
})
export type StackInfo = z.output<typeof StackInfo>

export interface Stack {
  info: StackInfo
  /** Rejects when one of the processes ends by itself. */
  broken: Promise<never>
  stop(): Promise<void>
  /** Asks the worker to end its jobs now. */
  hurry(): void
}

/** Another stack uses the data directory. */
export class StackIsRunning extends Error {
  override readonly name = 'StackIsRunning'
}

export interface StackOptions {
  environment: Record<string, string | undefined>
  onLine(name: string, line: string): void
  onStep(step: string): void
}

/** @throws ConfigError; StackIsRunning; Error with what a process wrote when it does not start */
export async function startStack({ environment, onLine, onStep }: StackOptions): Promise<Stack> {
  const embedded = {
    postgres: !environment.DATABASE_URL,
    s3: !environment.S3_ENDPOINT && !environment.S3_BUCKET,
  }
  requireConfig(environment, embedded)
  await mkdir(dataDirectory, { recursive: true })
  const lock = lockData()
  const stops: (() => Promise<void> | void)[] = [() => lock.close(), () => rm(infoFile, { force: true })]
  const stop = async () => {
    for (const step of stops.splice(0).reverse()) await step()
  }
  const processes: ChildProcess[] = []
  try {
    const port = await apiPort(environment.PORT, onStep)
    const env: Record<string, string | undefined> = {
      ...environment,
      PORT: String(port),
      SHUTDOWN_GRACE_SECONDS: environment.SHUTDOWN_GRACE_SECONDS ?? '5',
      WATCH_JOBS: environment.WATCH_JOBS ?? 'true',
    }
    if (embedded.postgres) {
      onStep('starting the embedded PostgreSQL')
      const postgres = await startPostgres({
        directory: join(dataDirectory, 'postgres'),
        port: await freePort(defaultPorts.postgres),
        disposable: false,
      })
      stops.push(postgres.stop)
      processes.push(postgres.process)
      Object.assign(env, postgres.environment)
    }
    if (embedded.s3) {
      onStep('starting the embedded S3')
      const s3 = await startS3({
        directory: join(dataDirectory, 's3'),
        port: await freePort(defaultPorts.s3),
        buckets: [bucket],
      })
      stops.push(s3.stop)
      processes.push(s3.process)
      Object.assign(env, s3.environment)
    }
    onStep('migrating the database')
    const spawn = (name: string, entry: string) =>
      new ChildProcess({ name, entry, environment: env, onLine: (line) => onLine(name, line) })
    const migration = spawn('migrate', 'scripts/migrate.ts')
    if ((await migration.exited) !== 0) throw new Error(`migrate failed:\n${migration.lastLines}`)

    onStep('building the dashboard')
    await buildWebIfStale()
    // The worker writes the definitions down, and is ready when it has.
    onStep('starting API, worker and scheduler')
    const start = (name: string, entry: string) => {
      const child = spawn(name, entry)
      processes.push(child)
      return child
    }
    const worker = start('worker', 'worker/main.ts')
    const others = [start('api', 'api/server.ts'), start('scheduler', 'scheduler/main.ts')]
    stops.push(async () => {
      await Promise.all([worker, ...others].map((child) => child.stop(processGraceSeconds)))
    })
    await Promise.all([worker, ...others].map(({ ready }) => ready))

    const info: StackInfo = {
      pid: process.pid,
      apiUrl: `http://127.0.0.1:${port}`,
      databaseUrl: env.DATABASE_URL ?? '',
      s3Endpoint: env.S3_ENDPOINT ?? 'AWS',
      bucket: env.S3_BUCKET ?? '',
    }
    await writeFile(infoFile, JSON.stringify(info, null, 2), { mode: 0o600 })
    const broken = firstToEnd(processes)
    // Who does not care need not listen.
    broken.catch(() => {})
    return { info, broken, stop, hurry: () => worker.signal('SIGTERM') }
  } catch (error) {
    await stop()
    throw error
  }
}

/** What a running stack says of itself; null when none runs in this directory. */
export async function readStackInfo(): Promise<StackInfo | null> {
  const file = Bun.file(infoFile)
  if (!(await file.exists())) return null
  const info = StackInfo.safeParse(await file.json())
  if (!info.success) return null
  const answers = await fetch(`${info.data.apiUrl}/healthz`).then(
    ({ ok }) => ok,
    () => false,
  )
  return answers ? info.data : null
}

/** A lock of the operating system, by way of SQLite: it is gone with the process that held it. */
function lockData(): Database {
  const database = new Database(join(dataDirectory, 'lock.sqlite'))
  try {
    database.run('pragma locking_mode = exclusive')
    database.run('begin exclusive')
    return database
  } catch (error) {
    database.close()
    if (!(error instanceof Error && 'code' in error && error.code === 'SQLITE_BUSY')) throw error
    throw new StackIsRunning(`Job Server is already running with the data in ${dataDirectory}.`)
  }
}

/** Before anything is started. What the embedded servers will fill in may be missing. */
function requireConfig(
  environment: Record<string, string | undefined>,
  embedded: { postgres: boolean; s3: boolean },
): void {
  try {
    parseConfig(environment)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const filledIn = [...(embedded.postgres ? ['DATABASE_URL'] : []), ...(embedded.s3 ? ['S3_BUCKET'] : [])]
    const problems = error.problems.filter(({ name, got }) => got !== 'nothing' || !filledIn.includes(name))
    if (problems.length > 0) throw new ConfigError(problems)
  }
}

/** A port that was asked for is used or refused; the default gives way to the next free one. */
async function apiPort(wanted: string | undefined, onStep: (step: string) => void): Promise<number> {
  const asked = Number(wanted || defaultPorts.api)
  if (asked === 0) return await freePort(defaultPorts.api)
  if (await isFree(asked)) return asked
  if (wanted) throw new Error(`PORT  ${asked} is taken by another process; choose another.`)
  const port = await freePort(defaultPorts.api)
  onStep(`port ${defaultPorts.api} is taken, using ${port}`)
  return port
}

async function firstToEnd(processes: ChildProcess[]): Promise<never> {
  const ended = await Promise.race(processes.map(async (child) => ({ child, status: await child.exited })))
  throw new Error(`${ended.child.name} ended by itself with status ${ended.status}.`)
}
