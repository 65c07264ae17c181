/**
 * Discovers definitions in processes of their own: job code is never loaded into the coordinator, and a file that
 * ends its process, or never comes to an end, costs nobody but itself.
 *
 * Files are loaded one after another in one process. When that dies or a file takes too long, the file it was at is
 * tried alone, in a process of its own: only what fails there is to blame. The others go on in a new process.
 */
import { randomUUID } from 'node:crypto'
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { Subprocess } from 'bun'
import { z } from 'zod'
import { assembleDiscovery, type Discovery, type FileOutcome } from '../core/definitions/discover.ts'
import { findJobFiles } from '../core/definitions/job-files.ts'
import type { Log } from '../core/log.ts'
import { Channel } from './channel.ts'
import { Guardian } from './guardian.ts'
import { jobEnvironment } from './job-environment.ts'
import { within } from './process-output.ts'
import { markName, ProcessTree } from './process-tree.ts'

const entry = fileURLToPath(new URL('./discover-child.ts', import.meta.url))
const filesPerProcess = 100
const keptErrorBytes = 2000
const lastWordMs = 500

const fromDiscovery = z.discriminatedUnion('type', [
  z.object({ type: z.literal('loading'), path: z.string() }),
  z.object({
    type: z.literal('outcome'),
    path: z.string(),
    outcome: z.custom<FileOutcome>((value) => typeof value === 'object' && value !== null && 'kind' in value),
  }),
  z.object({ type: z.literal('stray'), error: z.string() }),
])
export type FromDiscovery = z.output<typeof fromDiscovery>

export interface DiscoveryOptions {
  /** Where the few variables that job code may see are taken from. */
  environment: Record<string, string | undefined>
  /** Beside those; default none. */
  jobVariables?: readonly string[]
  log: Log
  signal: AbortSignal
  /** For one file, default 10. */
  patienceSeconds?: number
}

/** @throws Error when no process is to be had; what the signal was aborted with */
export async function discoverInProcess(
  directories: string[],
  options: DiscoveryOptions,
): Promise<Discovery> {
  const { files, broken } = await findJobFiles(directories)
  const outcomes = new Map<string, FileOutcome>()
  const guardian = new Guardian({ directories: [], ...options })
  guardian.start()
  try {
    let left = files.map(({ path }) => path)
    while (left.length > 0) {
      const loading = new Loading(left.slice(0, filesPerProcess), guardian, options)
      const culprit = await loading.done
      for (const [path, outcome] of loading.outcomes) outcomes.set(path, outcome)
      if (culprit !== undefined) {
        const alone = culprit.isCertain ? undefined : new Loading([culprit.path], guardian, options)
        const error = alone === undefined ? culprit.error : (await alone.done)?.error
        const outcome = error === undefined ? alone?.outcomes.get(culprit.path) : undefined
        outcomes.set(culprit.path, outcome ?? { kind: 'broken', error: error ?? culprit.error })
      }
      left = left.filter((path) => !outcomes.has(path))
    }
  } finally {
    await guardian.stop()
  }
  return assembleDiscovery(files, outcomes, broken)
}

interface Culprit {
  path: string
  error: string
  /** Whether it can't have been another file of the same process. */
  isCertain: boolean
}

/** One process that loads files, to its end. */
class Loading {
  readonly outcomes = new Map<string, FileOutcome>()
  /** The file that the process could not go on from, if there was one. */
  readonly done: Promise<Culprit | undefined>
  readonly #tree: ProcessTree
  #at: string | undefined
  #culprit: Culprit | undefined
  #timer: NodeJS.Timeout | undefined
  #hasExited = false

  constructor(
    private readonly paths: string[],
    private readonly guardian: Guardian,
    private readonly options: DiscoveryOptions,
  ) {
    options.signal.throwIfAborted()
    const mark = randomUUID()
    const child = Bun.spawn(
      [process.execPath, '--no-install', '--no-env-file', entry, JSON.stringify(paths)],
      {
        cwd: tmpdir(),
        env: { ...jobEnvironment(options.environment, options.jobVariables), [markName]: mark },
        stdio: ['ignore', 'ignore', 'pipe', 'socket-fd'],
        detached: true,
      },
    )
    this.#tree = ProcessTree.of(child.pid, mark)
    guardian.watch(this.#tree.root)
    const channel = new Channel(Number(child.stdio[3]), {
      message: (message) => this.#receive(message),
      broken: (problem) => this.#blame(`it sent ${problem}`, false),
    })
    this.#arm()
    this.done = this.#awaitEnd(child, channel)
  }

  #receive(raw: unknown): void {
    const parsed = fromDiscovery.safeParse(raw)
    if (!parsed.success) {
      this.#blame('it sent what is no message', false)
      return
    }
    const message = parsed.data
    switch (message.type) {
      case 'loading':
        this.#at = message.path
        this.#arm()
        break
      case 'outcome':
        this.outcomes.set(message.path, message.outcome)
        break
      case 'stray':
        this.#blame(message.error, false)
    }
  }

  #arm(): void {
    const { patienceSeconds = 10 } = this.options
    clearTimeout(this.#timer)
    this.#timer = setTimeout(
      () => this.#blame(`it was not loaded within ${patienceSeconds} s`, true),
      patienceSeconds * 1000,
    )
  }

  #blame(error: string, isCertain: boolean): void {
    if (this.#at !== undefined)
      this.#culprit ??= { path: this.#at, error, isCertain: isCertain || this.paths.length === 1 }
    this.#kill()
  }

  #kill(): void {
    if (!this.#hasExited) this.#tree.killGroup()
  }

  async #awaitEnd(
    child: Subprocess<'ignore', 'ignore', 'pipe'>,
    channel: Channel,
  ): Promise<Culprit | undefined> {
    const { signal } = this.options
    const kill = () => this.#kill()
    signal.addEventListener('abort', kill)
    const errors = endOf(child.stderr)
    await child.exited
    this.#hasExited = true
    clearTimeout(this.#timer)
    signal.removeEventListener('abort', kill)
    await this.#tree.end()
    await within(channel.closed, lastWordMs)
    channel.close()
    this.guardian.release(child.pid)
    signal.throwIfAborted()
    const isComplete = this.paths.every((path) => this.outcomes.has(path))
    if (this.#culprit !== undefined || isComplete) return this.#culprit
    const how = child.signalCode === null ? `with status ${child.exitCode}` : `by ${child.signalCode}`
    const error = `it ended its process ${how} while loading. ${await errors}`.trim()
    if (this.#at === undefined) throw new Error(`No job file could be loaded: ${error}`)
    return { path: this.#at, error, isCertain: this.paths.length === 1 }
  }
}

async function endOf(stream: ReadableStream<Uint8Array>): Promise<string> {
  let end = Buffer.alloc(0)
  for await (const chunk of stream) end = Buffer.concat([end, chunk]).subarray(-keptErrorBytes)
  return end.toString('utf8')
}
