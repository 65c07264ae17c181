/** Starts the embedded PostgreSQL and S3 as processes of their own and says how to reach them. */
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ChildProcess } from '../child-process.ts'

const stopGraceSeconds = 20

export interface EmbeddedServer {
  environment: Record<string, string>
  process: ChildProcess
  stop(): Promise<void>
}

/**
 * @param options.disposable without fsync, for tests
 * @param options.settings of PostgreSQL, on top of its defaults
 */
export async function startPostgres(options: {
  directory: string
  port: number
  disposable: boolean
  settings?: Record<string, string>
}): Promise<EmbeddedServer> {
  const { directory, port, disposable, settings = {} } = options
  const password = await keptPassword(`${directory}.password`)
  const child = new ChildProcess({
    name: 'postgres',
    entry: 'scripts/embedded/postgres.ts',
    arguments: [JSON.stringify({ directory, port, password, disposable, settings })],
  })
  await child.ready
  return {
    environment: { DATABASE_URL: `postgres://postgres:${password}@127.0.0.1:${port}/postgres` },
    process: child,
    stop: () => child.stop(stopGraceSeconds),
  }
}

export async function startS3(options: {
  directory: string
  port: number
  buckets: string[]
}): Promise<EmbeddedServer> {
  await mkdir(options.directory, { recursive: true })
  const child = new ChildProcess({
    name: 's3',
    entry: 'scripts/embedded/s3.ts',
    arguments: [JSON.stringify(options)],
  })
  await child.ready
  return {
    environment: {
      S3_ENDPOINT: `http://127.0.0.1:${options.port}`,
      S3_BUCKET: options.buckets[0] ?? '',
      // The only pair that the server knows.
      S3_ACCESS_KEY_ID: 'S3RVER',
      S3_SECRET_ACCESS_KEY: 'S3RVER',
      S3_FORCE_PATH_STYLE: 'true',
    },
    process: child,
    stop: () => child.stop(stopGraceSeconds),
  }
}

/** Made once: the data directory knows no other. */
async function keptPassword(file: string): Promise<string> {
  if (existsSync(file)) return (await readFile(file, 'utf8')).trim()
  const password = randomBytes(16).toString('hex')
  await mkdir(join(file, '..'), { recursive: true })
  await writeFile(file, password, { mode: 0o600 })
  return password
}
