/**
 * One job process from spawn to its end. It leads a session and group of its own, so that whatever the job started
 * (FFmpeg above all) is reached by one signal, and it sees none of our environment but what the list allows.
 *
 *   starting ──ready──► idle ──run──► running ──result | snooze | failure | exit | stop──► ended (tree killed, reaped)
 *                        ▲               │
 *                        └── result, for a definition whose processes run several jobs, and all is as it should be
 *
 * An end is told when nothing of the attempt runs any more: either the process and all that came of it are gone, or
 * it is idle again, without a child.
 */
import { randomUUID } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import type { Subprocess } from 'bun'
import type { Json, JsonObject } from '../core/json.ts'
import type { Log } from '../core/log.ts'
import type { Children } from '../core/queue/finish.ts'
import { Channel } from './channel.ts'
import { endOfOutput } from './end-of-output.ts'
import type { Guardian } from './guardian.ts'
import { jobEnvironment } from './job-environment.ts'
import { ProcessOutput, within } from './process-output.ts'
import { beNice, sacrificeFirst } from './process-priority.ts'
import { readProcessTable } from './process-table.ts'
import { markName, ProcessTree } from './process-tree.ts'
import { type FromChild, fromChild, type RunMessage, type StorageRequest, type ToChild } from './protocol.ts'

const EX_PROTOCOL = 76
/** From the last word, or from the end of the channel, to the end of the process. */
const exitPatienceMs = 1000
const lastOutputMs = 500
const storageRequestsAtOnce = 50

/** Why a running process is stopped from outside. */
export type StopReason =
  | 'cancelled'
  | 'timed_out'
  | 'interrupted'
  | 'lease_lost'
  | 'out_of_memory'
  | 'scratch_full'

export type ProcessEnd =
  | { kind: 'succeeded'; result: Json }
  | { kind: 'snoozed'; seconds: number }
  | { kind: 'waits'; children: Children }
  | {
      kind: 'threw'
      errorCode: string
      message: string
      stack: string
      retry: boolean
      retryInSeconds?: number
      details?: JsonObject
    }
  | { kind: 'exited'; exitCode: number }
  | { kind: 'signalled'; signal: string }
  | { kind: 'broke_protocol'; problem: string }
  | { kind: 'stopped'; reason: StopReason }

export type JobReport = Extract<
  FromChild,
  { type: 'progress' | 'event' | 'checkpoint' | 'log' | 'logs_dropped' | 'span' | 'span_end' }
>

/** Who the job of a process belongs to. */
export interface JobListener {
  report(message: JobReport): void
  output(stream: 'stdout' | 'stderr', chunk: Uint8Array): void
  /** The answer goes to the job. */
  storage(message: StorageRequest): Promise<ToChild>
}

export interface JobProcessOptions {
  /** What Bun is to run: `ChildProgram.command`. */
  command: readonly string[]
  /** Where it waits for a job. */
  directory: string
  environment: Record<string, string | undefined>
  guardian: Guardian
  log: Log
}

export type JobToRun = Omit<RunMessage, 'type' | 'run'> & { nice: number }

interface Run {
  number: number
  /** Whether the process waits for another job when this one has succeeded. */
  waits: boolean
  listener: JobListener
  ended: PromiseWithResolvers<ProcessEnd>
  hasBegun: boolean
  lastWord?: ProcessEnd
  stopReason?: StopReason
}

export class JobProcess {
  readonly pid: number
  /** Itself and all that came of it. */
  readonly tree: ProcessTree
  /** Settles when the runtime is up; rejects when the process ended before. */
  readonly ready: Promise<void>
  /** Settles when the whole tree is gone. */
  readonly gone: Promise<void>
  readonly #child: Subprocess<'ignore', 'pipe', 'pipe'>
  readonly #channel: Channel
  readonly #outputs: ProcessOutput[]
  readonly #becameReady = Promise.withResolvers<void>()
  #run: Run | undefined
  #runs = 0
  #storageRequests = 0
  #killTimer: NodeJS.Timeout | undefined
  #hasExited = false
  #isUnfit = false

  constructor(private readonly options: JobProcessOptions) {
    const mark = randomUUID()
    this.#child = Bun.spawn([process.execPath, '--no-install', '--no-env-file', ...options.command], {
      cwd: options.directory,
      env: { ...jobEnvironment(options.environment), [markName]: mark },
      stdio: ['ignore', 'pipe', 'pipe', 'socket-fd'],
      detached: true,
    })
    this.pid = this.#child.pid
    this.tree = ProcessTree.of(this.pid, mark)
    // Before it gets a job: until then it notices our end by itself.
    options.guardian.watch(this.tree.root)
    sacrificeFirst(this.pid)
    this.#channel = new Channel(Number(this.#child.stdio[3]), {
      message: (message) => this.#receive(message),
      broken: (problem) => this.#break(`It sent ${problem}.`),
    })
    this.#channel.closed.then(() => this.#channelClosed())
    const outputTo = (stream: 'stdout' | 'stderr') => (chunk: Uint8Array) =>
      this.#run?.listener.output(stream, chunk)
    this.#outputs = [
      new ProcessOutput(this.#child.stdout, outputTo('stdout')),
      new ProcessOutput(this.#child.stderr, outputTo('stderr')),
    ]
    this.ready = this.#becameReady.promise
    this.ready.catch(() => {})
    this.gone = this.#awaitExit()
  }

  /** How many jobs it has begun. */
  get runs(): number {
    return this.#runs
  }

  /** Whether it can take a job. */
  get isIdle(): boolean {
    return this.#run === undefined && !this.#isUnfit && !this.#hasExited
  }

  /** Whether the last job was taken up: a process that died before has done it nothing. */
  get hasBegun(): boolean {
    return this.#run?.hasBegun ?? false
  }

  /** The largest resident size of the process itself, in bytes; 0 while it lives. */
  get peakMemoryBytes(): number {
    return this.#child.resourceUsage()?.maxRSS ?? 0
  }

  run(job: JobToRun, listener: JobListener): Promise<ProcessEnd> {
    const run: Run = {
      number: ++this.#runs,
      waits: job.waitIn !== null,
      listener,
      ended: Promise.withResolvers(),
      hasBegun: false,
    }
    this.#run = run
    const { nice, ...message } = job
    this.tree.directories = [job.scratchDirectory]
    if (nice > 0) beNice(this.pid, nice)
    this.#channel.send({ type: 'run', run: run.number, ...message } satisfies RunMessage)
    // It died while it waited.
    if (this.#hasExited) this.gone.then(() => run.ended.resolve(this.#endOf(run)))
    return run.ended.promise
  }

  /** Aborts the signal in the job; SIGKILL to all after the grace. The first reason stands, and a job that has ended. */
  stop(reason: StopReason, graceSeconds: number): void {
    const run = this.#run
    if (run === undefined || run.stopReason !== undefined) return
    if (run.lastWord === undefined) run.stopReason = reason
    if (graceSeconds > 0) {
      this.#channel.send({ type: 'abort', run: run.number, reason } satisfies ToChild)
      this.#killWithin(graceSeconds * 1000)
    } else this.kill()
  }

  kill(): void {
    this.#isUnfit = true
    // Afterwards its id may be another's.
    if (!this.#hasExited) this.tree.killGroup()
  }

  #receive(raw: unknown): void {
    const parsed = fromChild.safeParse(raw)
    if (!parsed.success) {
      this.#break('It sent a message that is not of its protocol.')
      return
    }
    const message = parsed.data
    if (message.type === 'ready') {
      this.#becameReady.resolve()
      return
    }
    const run = this.#run
    // What a job says after its end is for nobody.
    if (run === undefined || message.run !== run.number || run.lastWord !== undefined) return
    switch (message.type) {
      case 'began':
        run.hasBegun = true
        break
      case 'storage':
        void this.#answer(run, message)
        break
      case 'result':
        this.#end(run, { kind: 'succeeded', result: message.result })
        break
      case 'snooze':
        this.#end(run, { kind: 'snoozed', seconds: message.seconds })
        break
      case 'children':
        this.#end(run, { kind: 'waits', children: { jobs: message.jobs, onFailure: message.onFailure } })
        break
      case 'failure':
        this.#end(run, { ...message, kind: 'threw' })
        break
      default:
        run.listener.report(message)
    }
  }

  async #answer(run: Run, message: StorageRequest): Promise<void> {
    if (++this.#storageRequests >= storageRequestsAtOnce) this.#channel.hold()
    this.#channel.send(await run.listener.storage(message))
    if (this.#storageRequests-- >= storageRequestsAtOnce) this.#channel.release()
  }

  #end(run: Run, lastWord: ProcessEnd): void {
    run.lastWord = lastWord
    if (run.waits && lastWord.kind === 'succeeded' && run.stopReason === undefined) void this.#settle(run)
    else this.#killWithin(exitPatienceMs)
  }

  /** Idle again, when all it wrote is read and it has no child; otherwise it ends here. */
  async #settle(run: Run): Promise<void> {
    const isAsBefore = await this.#isAsBefore(run).catch(() => false)
    if (isAsBefore) {
      clearTimeout(this.#killTimer)
      this.#run = undefined
      run.ended.resolve(this.#endOf(run))
    } else this.kill()
  }

  async #isAsBefore(run: Run): Promise<boolean> {
    const mark = endOfOutput(run.number)
    const read = Promise.all(this.#outputs.map((output) => output.endsWith(mark)))
    if (!(await within(read, lastOutputMs)) || (await this.#hasChildren())) return false
    return !this.#isUnfit && !this.#hasExited
  }

  async #hasChildren(): Promise<boolean> {
    const children = `/proc/${this.pid}/task/${this.pid}/children`
    // A fraction of the cost of the whole table, where the kernel has it.
    if (existsSync(children)) return readFileSync(children, 'latin1') !== ''
    return this.tree.members(await readProcessTable()).length > 1
  }

  #break(problem: string): void {
    if (this.#run !== undefined) this.#run.lastWord ??= { kind: 'broke_protocol', problem }
    this.kill()
  }

  /** By the end of the process, usually. A job may have closed it; then nothing more can be known of it. */
  #channelClosed(): void {
    this.#isUnfit = true
    setTimeout(() => !this.#hasExited && this.#break('It closed its channel.'), exitPatienceMs)
  }

  #killWithin(milliseconds: number): void {
    clearTimeout(this.#killTimer)
    this.#killTimer = setTimeout(() => this.kill(), milliseconds)
  }

  async #awaitExit(): Promise<void> {
    await this.#child.exited
    clearTimeout(this.#killTimer)
    // The leader is gone; what it left behind goes now.
    this.tree.killGroup()
    this.#hasExited = true
    if (!(await this.tree.end())) this.options.log.error({ pid: this.pid }, 'process.left')
    // The exit may be seen before the last message is read; an empty channel says that nothing more comes.
    await within(Promise.all([this.#channel.closed, ...this.#outputs.map(({ done }) => done)]), lastOutputMs)
    this.#channel.close()
    this.options.guardian.release(this.pid)
    this.#becameReady.reject(new Error('the job process ended before it was ready'))
    if (this.#run !== undefined) this.#run.ended.resolve(this.#endOf(this.#run))
  }

  #endOf({ lastWord, stopReason }: Run): ProcessEnd {
    if (stopReason !== undefined && lastWord?.kind !== 'succeeded')
      return { kind: 'stopped', reason: stopReason }
    if (lastWord !== undefined) return lastWord
    const { signalCode, exitCode } = this.#child
    if (signalCode !== null) return { kind: 'signalled', signal: String(signalCode) }
    if (exitCode === EX_PROTOCOL) return { kind: 'broke_protocol', problem: 'It closed its channel.' }
    return { kind: 'exited', exitCode: exitCode ?? -1 }
  }
}
