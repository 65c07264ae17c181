/**
 * What benches run on: embedded PostgreSQL and S3 in a temporary directory, gone with it. PostgreSQL keeps fsync on:
 * a commit that need not reach the disk would flatter everything that commits often.
 */
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type FfmpegBinaries, findFfmpeg } from '../core/ffmpeg-binaries.ts'
import { ChildProcess } from '../scripts/child-process.ts'
import { type EmbeddedServer, startPostgres, startS3 } from '../scripts/embedded/servers.ts'
import { anyPort } from '../scripts/ports.ts'
import { BenchDatabase } from './database.ts'

const bucket = 'bench'
const stopGraceSeconds = 10

export class BenchStack {
  readonly tools: FfmpegBinaries
  #directory = ''
  #environment: Record<string, string | undefined> = {}
  readonly #servers: EmbeddedServer[] = []
  readonly #databases: BenchDatabase[] = []
  readonly #others: ChildProcess[] = []
  #starting: Promise<void> | undefined
  #counting: Promise<EmbeddedServer> | undefined

  /** @param environment PATH, where FFmpeg is, and DATABASE_PREPARE; nothing else of it reaches what is measured */
  constructor(environment: Record<string, string | undefined>) {
    const { PATH, FFMPEG_PATH, FFPROBE_PATH, DATABASE_PREPARE } = environment
    this.tools = findFfmpeg({ ffmpegPath: FFMPEG_PATH, ffprobePath: FFPROBE_PATH, searchPath: PATH })
    this.#environment = { PATH, FFMPEG_PATH, FFPROBE_PATH, DATABASE_PREPARE }
  }

  /** For files of benches. */
  get directory(): string {
    return this.#directory
  }

  start(): Promise<void> {
    this.#starting ??= this.#start()
    return this.#starting
  }

  /** Resolves when nothing is left: no process, no file. */
  async stop(): Promise<void> {
    // What is only coming up can't be stopped yet.
    await this.#starting?.catch(() => {})
    await this.#counting?.catch(() => {})
    await Promise.all(this.#databases.map((database) => database.stopProcesses()))
    await Promise.all(this.#others.map((child) => child.stop(stopGraceSeconds)))
    await Promise.all(this.#servers.map((server) => server.stop()))
    if (this.#directory !== '') await rm(this.#directory, { recursive: true, force: true })
  }

  /**
   * A database of the bench's own, migrated, with all definitions registered.
   * @param options.counted on a PostgreSQL beside the other that counts statements and times what it reads and writes
   *   (pg_stat_statements, track_io_timing), which is not free
   */
  async openDatabase({ counted = false } = {}): Promise<BenchDatabase> {
    const name = `bench_${this.#databases.length + 1}`
    const server = counted ? await this.#countingServer() : undefined
    const database = new BenchDatabase(name, { ...this.#environment, ...server?.environment })
    this.#databases.push(database)
    await database.open()
    return database
  }

  /** In a database of its own, which is dropped when it is done. */
  async withDatabase<Result>(act: (database: BenchDatabase) => Promise<Result>): Promise<Result> {
    const database = await this.openDatabase()
    const result = await act(database)
    await database.close()
    return result
  }

  /** A Redis of the bench's own, where this machine has one. @returns its URL, null where it has none */
  async openRedis(): Promise<string | null> {
    if (Bun.which('redis-server', { PATH: this.#environment.PATH ?? '' }) === null) return null
    const directory = await mkdtemp(join(this.#directory, 'redis-'))
    const port = String(await anyPort())
    const child = this.startProcess('redis', 'bench/peers/redis-server.ts', [directory, port])
    await child.ready
    return `redis://127.0.0.1:${port}`
  }

  /** A process that is gone when the bench ends. */
  startProcess(name: string, entry: string, args: string[]): ChildProcess {
    const child = new ChildProcess({ name, entry, arguments: args, environment: this.#environment })
    this.#others.push(child)
    child.exited.then(() => this.#others.splice(this.#others.indexOf(child), 1))
    return child
  }

  #countingServer(): Promise<EmbeddedServer> {
    this.#counting ??= this.#startCounting()
    return this.#counting
  }

  async #startCounting(): Promise<EmbeddedServer> {
    const server = await startPostgres({
      directory: join(this.#directory, 'postgres-counting'),
      port: await anyPort(),
      disposable: false,
      settings: {
        shared_preload_libraries: 'pg_stat_statements',
        'pg_stat_statements.max': '10000',
        track_io_timing: 'on',
        track_wal_io_timing: 'on',
      },
    })
    this.#servers.push(server)
    return server
  }

  async #start(): Promise<void> {
    this.#directory = await mkdtemp(join(tmpdir(), 'job-server-bench-'))
    // Run by root, PostgreSQL has a user of its own, who must be able to get there.
    await chmod(this.#directory, 0o755)
    const scratch = join(this.#directory, 'scratch')
    await mkdir(scratch)
    const started = await Promise.allSettled([
      startPostgres({
        directory: join(this.#directory, 'postgres'),
        port: await anyPort(),
        disposable: false,
      }),
      startS3({ directory: join(this.#directory, 's3'), port: await anyPort(), buckets: [bucket] }),
    ])
    for (const server of started) if (server.status === 'fulfilled') this.#servers.push(server.value)
    for (const server of started) if (server.status === 'rejected') throw server.reason
    Object.assign(
      this.#environment,
      { SCRATCH_DIRECTORY: scratch },
      ...this.#servers.map(({ environment }) => environment),
    )
  }
}
