/**
 * What all tests run against: a real PostgreSQL and a real S3 server, started once. Embedded ones by default;
 * with TEST_BACKEND=containers PostgreSQL and LocalStack in Docker. TEST_DATABASE_URL names a PostgreSQL that runs
 * already, of another version for example. Tests see no difference.
 */
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import type { TestProject } from 'vitest/node'
import { openPool } from '../../core/db.ts'
import { migrate } from '../../core/migrate.ts'
import { startPostgres, startS3 } from '../../scripts/embedded/servers.ts'
import { anyPort } from '../../scripts/ports.ts'
import { buildWebIfStale } from '../../scripts/web-files.ts'

export const templateDatabase = 'job_server_template'

/** As it stands in the environment of the product's processes. */
export interface Backend {
  DATABASE_URL: string
  S3_ENDPOINT: string
  S3_ACCESS_KEY_ID: string
  S3_SECRET_ACCESS_KEY: string
  S3_FORCE_PATH_STYLE: string
  /** Where tests put what they make; removed at the end. */
  directory: string
}

declare module 'vitest' {
  interface ProvidedContext {
    backend: Backend
  }
}

type Servers = Omit<Backend, 'directory'> & { stop(): Promise<void> }

export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  // Not in the project: PostgreSQL's user must be able to get there when the tests run as root.
  const directory = await mkdtemp(join(tmpdir(), 'job-server-test-'))
  const containers = process.env.TEST_BACKEND === 'containers'
  const [{ stop, ...servers }] = await Promise.all([
    startWithTemplate(containers ? startContainers(directory) : startEmbedded(directory)),
    // Here, as two files of tests that find it stale would build it twice at once.
    buildWebIfStale(),
  ])
  project.provide('backend', { ...servers, directory })
  return async () => {
    await stop()
    await rm(directory, { recursive: true, force: true })
  }
}

async function startWithTemplate(starting: Promise<Servers>): Promise<Servers> {
  const servers = await starting
  await makeTemplate(servers.DATABASE_URL)
  return servers
}

async function startEmbedded(directory: string): Promise<Servers> {
  await chmod(directory, 0o755)
  const given = process.env.TEST_DATABASE_URL
  const [database, { stop: stopStorage, ...storage }] = await Promise.all([
    given === undefined
      ? startPostgres({ directory: join(directory, 'postgres'), port: await anyPort(), disposable: true })
      : { environment: { DATABASE_URL: given }, stop: async () => {} },
    startEmbeddedStorage(directory),
  ])
  return {
    DATABASE_URL: database.environment.DATABASE_URL ?? '',
    ...storage,
    stop: async () => {
      await Promise.all([database.stop(), stopStorage()])
    },
  }
}

/** @throws with a line that says so where no Docker engine answers */
async function startContainers(directory: string): Promise<Servers> {
  const { stop: stopDatabase, ...database } = await startPostgresContainer()
  const { stop: stopStorage, ...storage } = await startLocalStack(directory)
  return {
    ...database,
    ...storage,
    stop: async () => {
      await Promise.all([stopDatabase(), stopStorage()])
    },
  }
}

async function startPostgresContainer() {
  const { PostgreSqlContainer } = await import('@testcontainers/postgresql')
  const image = process.env.TEST_POSTGRES_IMAGE ?? 'postgres:18-alpine'
  // As many connections as the embedded one takes, and none of the care for what is thrown away.
  const settings = ['max_connections=200', 'fsync=off', 'full_page_writes=off']
  try {
    const database = await new PostgreSqlContainer(image)
      .withCommand(['postgres', ...settings.flatMap((setting) => ['-c', setting])])
      .start()
    return { DATABASE_URL: database.getConnectionUri(), stop: () => database.stop() }
  } catch (cause) {
    throw new Error(
      `TEST_BACKEND=containers: no container of ${image} could be started. ${reasonOf(cause)}`,
      {
        cause,
      },
    )
  }
}

/** Where LocalStack's image can't be had, the embedded storage takes its place, and a line says so. */
async function startLocalStack(directory: string) {
  const { LocalstackContainer } = await import('@testcontainers/localstack')
  const image = process.env.TEST_LOCALSTACK_IMAGE ?? 'localstack/localstack:4'
  try {
    const storage = await new LocalstackContainer(image).start()
    return {
      S3_ENDPOINT: storage.getConnectionUri(),
      S3_ACCESS_KEY_ID: 'test',
      S3_SECRET_ACCESS_KEY: 'test',
      S3_FORCE_PATH_STYLE: 'true',
      stop: () => storage.stop(),
    }
  } catch (error) {
    console.log(`The embedded storage takes the place of ${image}: ${reasonOf(error)}`)
    return await startEmbeddedStorage(directory)
  }
}

async function startEmbeddedStorage(directory: string) {
  const { environment, stop } = await startS3({
    directory: join(directory, 's3'),
    port: await anyPort(),
    buckets: [],
  })
  return {
    S3_ENDPOINT: environment.S3_ENDPOINT ?? '',
    S3_ACCESS_KEY_ID: environment.S3_ACCESS_KEY_ID ?? '',
    S3_SECRET_ACCESS_KEY: environment.S3_SECRET_ACCESS_KEY ?? '',
    S3_FORCE_PATH_STYLE: 'true',
    stop,
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Migrated once; every test file clones it. */
async function makeTemplate(databaseUrl: string): Promise<void> {
  const admin = postgres(databaseUrl, { max: 1, onnotice: () => {} })
  await admin.unsafe(`create database ${templateDatabase}`)
  await admin.end()
  const url = new URL(databaseUrl)
  url.pathname = `/${templateDatabase}`
  const sql = openPool({ DATABASE_URL: url.href, DATABASE_POOL_SIZE: 1 }, 'test template')
  await migrate(sql)
  await sql.end()
}
