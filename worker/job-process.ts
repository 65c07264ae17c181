/**
 * One job process from spawn to its end. It leads a session and group of its own, so that whatever the job started
 * (FFmpeg above all) is reached by one signal, and it sees none of our environment but what the list allows.
 *
 *   starting ──ready──► idle ──run──► running ──result | snooze | failure | exit | stop──► ended (tree killed, reaped)
 *                        ▲               │
 *                        └── result, for a definition whose processes run several jobs, and all is as it should be
 *
 * An end is told when nothing of the attempt runs any more: either the process and all that came of it are gone, or
 * it is on to the next, without a child.
 *
 * Such a process may be given several jobs at once. It runs them one after the other, in the order they were given,
 * without asking in between. When it ends, those it has not begun are told so: nothing was done of them. One that it had
 * begun already when another had us kill it is interrupted.
 */
import { randomUUID } from 'node:crypto'
import type { Subprocess } from 'bun'
import { childJobs, faultsIn } from '../core/job-shapes.ts'
import type { Json, JsonObject } from '../core/json.ts'
import type { Log } from '../core/log.ts'
import type { Children } from '../core/queue/finish.ts'
import { Channel } from './channel.ts'
import type { Guardian } from './guardian.ts'
import { jobEnvironment } from './job-environment.ts'
import { ProcessOutput, within } from './process-output.ts'
import { beNice, sacrificeFirst } from './process-priority.ts'
import { hasChildren, markName, ProcessTree } from './process-tree.ts'
import {
  type EnqueueRequest,
  type FromChild,
  fromChild,
  type RunMessage,
  type StorageRequest,
  type ToChild,
} from './protocol.ts'

const EX_PROTOCOL = 76
/** From the last word, or from the end of the channel, to the end of the process. */
const exitPatienceMs = 1000
const lastOutputMs = 500
/** From the end of one job to the beginning of the next: beyond that, something of the first keeps the process busy. */
const beginPatienceMs = 5000
const requestsAtOnce = 50

/** Why a running process is stopped from outside. */
export type StopReason =
  | 'cancelled'
  | 'timed_out'
  | 'interrupted'
  | 'lease_lost'
  | 'out_of_memory'
  /** All jobs together were about to take what memory the container has, and this one had the most. */
  | 'container_full'
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

/** The process ended by the doing of another job, before it took up this one. */
export type NotBegun = { kind: 'not_begun' }

export type JobReport = Extract<
  FromChild,
  { type: 'progress' | 'event' | 'checkpoint' | 'log' | 'logs_dropped' | 'span' | 'span_end' }
>

/** Who the job of a process belongs to. */
export interface JobListener {
  /** What happens from now on is the job's doing. */
  began?(): void
  report(message: JobReport): void
  output(stream: 'stdout' | 'stderr', chunk: Uint8Array): void
  /** The answer goes to the job. */
  storage(message: StorageRequest): Promise<ToChild>
  /** The same. */
  enqueue(message: EnqueueRequest): Promise<ToChild>
}

export interface JobProcessOptions {
  /** What Bun is to run: `ChildProgram.command`. */
  command: readonly string[]
  /** Where it waits for a job. */
  directory: string
  environment: Record<string, string | undefined>
  /** Of the environment, for job code beside what all of it sees; default none. */
  jobVariables?: readonly string[]
  guardian: Guardian
  log: Log
}

export type JobToRun = Omit<RunMessage, 'type' | 'run'> & { nice: number }

/** A job that was given to a process. */
export interface JobRun {
  readonly ended: Promise<ProcessEnd | NotBegun>
  /** Whether the job was taken up: a process that died before has done it nothing. */
  readonly hasBegun: boolean
  /** Whether other jobs of the process come first. */
  readonly isQueued: boolean
  /**
   * Aborts the signal in the job; SIGKILL to all after the grace. One that is queued ends here and is never begun. The
   * first reason stands, and a job that has ended; but none has any grace left once another comes that gives none.
   */
  stop(reason: StopReason, graceSeconds: number): void
}

interface Run {
  number: number
  /** Whether the process goes on to another job when this one has succeeded. */
  waits: boolean
  listener: JobListener
  ended: PromiseWithResolvers<ProcessEnd | NotBegun>
  /** Settles when all that it wrote is read, of a run after which the process goes on. */
  outputRead: Promise<unknown>
  hasBegun: boolean
  /** It has said that the process takes up no other. */
  isLast?: boolean
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
  readonly #outputs: Record<'stdout' | 'stderr', ProcessOutput>
  readonly #becameReady = Promise.withResolvers<void>()
  /** In the order they were given; those that have ended are gone from it. */
  readonly #runs = new Map<number, Run>()
  /** Which it must not begin any more: somebody else may be at them. */
  readonly #revoked = new Set<number>()
  #given = 0
  #requests = 0
  #killTimer: NodeJS.Timeout | undefined
  #beginTimer: NodeJS.Timeout | undefined
  #hasExited = false
  #isUnfit = false
  /** It did not end by itself. */
  #isKilled = false

  constructor(private readonly options: JobProcessOptions) {
    const mark = randomUUID()
    this.#child = Bun.spawn([process.execPath, '--no-install', '--no-env-file', ...options.command], {
      cwd: options.directory,
      env: { ...jobEnvironment(options.environment, options.jobVariables), [markName]: mark },
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
    this.#outputs = {
      stdout: new ProcessOutput(this.#child.stdout),
      stderr: new ProcessOutput(this.#child.stderr),
    }
    this.ready = this.#becameReady.promise
    this.ready.catch(() => {})
    this.gone = this.#awaitExit()
  }

  /** How many jobs it was given. */
  get runs(): number {
    return this.#given
  }

  /** Whether it can take a job; behind others, perhaps. */
  get isFit(): boolean {
    return !this.#isUnfit && !this.#hasExited
  }

  /** Whether it can take a job and has none. */
  get isIdle(): boolean {
    return this.isFit && this.#runs.size === 0
  }

  /** The largest resident size of the process itself, in bytes; 0 while it lives. */
  get peakMemoryBytes(): number {
    return this.#child.resourceUsage()?.maxRSS ?? 0
  }

  run(job: JobToRun, listener: JobListener): JobRun {
    const number = ++this.#given
    const { stdout, stderr } = this.#outputs
    const outputRead = Promise.all([
      stdout.expect(number, (chunk) => listener.output('stdout', chunk)),
      stderr.expect(number, (chunk) => listener.output('stderr', chunk)),
    ])
    const ended = Promise.withResolvers<ProcessEnd | NotBegun>()
    const waits = job.waitIn !== null
    const run: Run = { number, waits, listener, ended, outputRead, hasBegun: false }
    this.#runs.set(number, run)
    const { nice, ...message } = job
    this.tree.directories = [job.scratchDirectory]
    if (nice > 0) beNice(this.pid, nice)
    this.#channel.send({ type: 'run', run: number, ...message } satisfies RunMessage)
    // It died while it waited.
    if (this.#hasExited) this.gone.then(() => this.#endRest())
    const isQueued = () => !run.hasBegun && this.#current !== run
    return {
      ended: ended.promise,
      get hasBegun() {
        return run.hasBegun
      },
      get isQueued() {
        return isQueued()
      },
      stop: (reason, graceSeconds) => this.#stop(run, reason, graceSeconds),
    }
  }

  /** What is over a limit of all that the process does ends the job that it is at. */
  stop(reason: StopReason): void {
    if (this.#current !== undefined) this.#stop(this.#current, reason, 0)
  }

  /** The run that is at work, or next to be; one that has said its last word is not. */
  get #current(): Run | undefined {
    for (const run of this.#runs.values()) if (run.lastWord === undefined) return run
    return undefined
  }

  #stop(run: Run, reason: StopReason, graceSeconds: number): void {
    if (!this.#runs.has(run.number)) return
    if (run.stopReason !== undefined) {
      if (graceSeconds === 0) this.kill()
      return
    }
    if (run.lastWord !== undefined) {
      // The job has ended. Its process may be at the next, or is ending.
      if (this.#isUnfit && graceSeconds === 0) this.kill()
      return
    }
    if (!run.hasBegun && this.#current !== run) {
      this.#revoke(run, reason)
      return
    }
    run.stopReason = reason
    if (graceSeconds > 0) {
      this.#channel.send({ type: 'abort', run: run.number, reason } satisfies ToChild)
      this.#killWithin(graceSeconds * 1000)
    } else this.kill()
  }

  #revoke(run: Run, reason: StopReason): void {
    this.#channel.send({ type: 'abort', run: run.number, reason } satisfies ToChild)
    this.#revoked.add(run.number)
    this.#forget(run)
    run.ended.resolve({ kind: 'stopped', reason })
  }

  #forget(run: Run): void {
    this.#runs.delete(run.number)
    for (const output of Object.values(this.#outputs)) output.forget(run.number)
  }

  kill(): void {
    this.#isUnfit = true
    // Afterwards its id may be another's.
    if (this.#hasExited) return
    this.#isKilled = true
    this.tree.killGroup()
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
    const run = this.#runs.get(message.run)
    if (message.type === 'began' && this.#revoked.has(message.run)) this.kill()
    // What a job says after its end is for nobody.
    if (run === undefined || run.lastWord !== undefined) return
    switch (message.type) {
      case 'began':
        run.hasBegun = true
        run.listener.began?.()
        break
      case 'storage':
        void this.#answer(run.listener.storage(message))
        break
      case 'enqueue':
        void this.#answer(run.listener.enqueue(message))
        break
      case 'result':
        this.#end(run, { kind: 'succeeded', result: message.result }, message.goesOn)
        break
      case 'snooze':
        this.#end(run, { kind: 'snoozed', seconds: message.seconds })
        break
      case 'children':
        this.#end(run, waitFor(message))
        break
      case 'failure':
        this.#end(run, { ...message, kind: 'threw' })
        break
      default:
        run.listener.report(message)
    }
  }

  async #answer(answer: Promise<ToChild>): Promise<void> {
    if (++this.#requests >= requestsAtOnce) this.#channel.hold()
    this.#channel.send(await answer)
    if (this.#requests-- >= requestsAtOnce) this.#channel.release()
  }

  #end(run: Run, lastWord: ProcessEnd, goesOn = false): void {
    run.lastWord = lastWord
    // Also of one that was to stop: the process is at the next by now, to which its grace must not come.
    if (run.waits && goesOn) {
      clearTimeout(this.#killTimer)
      void this.#settle(run)
    } else {
      run.isLast = true
      this.#isUnfit = true
      this.#killWithin(exitPatienceMs)
    }
  }

  /** On to the next, when all it wrote is read; otherwise the process ends here. */
  async #settle(run: Run): Promise<void> {
    if (!(await within(run.outputRead, lastOutputMs)) || !this.isFit) {
      this.kill()
      return
    }
    // Between two jobs the process has looked itself.
    if (this.#runs.size === 1 && (await hasChildren(this.tree))) {
      this.kill()
      return
    }
    this.#runs.delete(run.number)
    run.ended.resolve(this.#endOf(run))
    this.#awaitBegin()
  }

  /** Nobody else would see that the next never begins: its own time has not. */
  #awaitBegin(): void {
    clearTimeout(this.#beginTimer)
    const next = this.#current
    if (next === undefined || next.hasBegun) return
    this.#beginTimer = setTimeout(() => {
      if (this.#current === next && !next.hasBegun) this.kill()
    }, beginPatienceMs)
  }

  #break(problem: string): void {
    const run = this.#current
    if (run !== undefined) run.lastWord = { kind: 'broke_protocol', problem }
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
    clearTimeout(this.#beginTimer)
    // The leader is gone; what it left behind goes now.
    this.tree.killGroup()
    this.#hasExited = true
    if (!(await this.tree.end())) this.options.log.error({ pid: this.pid }, 'process.left')
    // The exit may be seen before the last message is read; an empty channel says that nothing more comes.
    const outputs = Object.values(this.#outputs).map(({ done }) => done)
    await within(Promise.all([this.#channel.closed, ...outputs]), lastOutputMs)
    this.#channel.close()
    this.options.guardian.release(this.pid)
    this.#becameReady.reject(new Error('the job process ended before it was ready'))
    this.#endRest()
  }

  /** The first that was not done has seen the end of the process; what comes behind it has not been touched. */
  #endRest(): void {
    let isTouched = true
    for (const run of this.#runs.values()) {
      run.ended.resolve(isTouched || run.lastWord !== undefined ? this.#endOf(run) : { kind: 'not_begun' })
      if (run.lastWord === undefined || run.isLast) isTouched = false
    }
    this.#runs.clear()
  }

  #endOf({ lastWord, stopReason, hasBegun }: Run): ProcessEnd {
    if (stopReason !== undefined && lastWord?.kind !== 'succeeded')
      return { kind: 'stopped', reason: stopReason }
    if (lastWord !== undefined) return lastWord
    const { signalCode, exitCode } = this.#child
    // Because of another: what it is killed for itself is its reason or its last word.
    if (hasBegun && this.#isKilled && signalCode === 'SIGKILL')
      return { kind: 'stopped', reason: 'interrupted' }
    if (signalCode !== null) return { kind: 'signalled', signal: String(signalCode) }
    if (exitCode === EX_PROTOCOL) return { kind: 'broke_protocol', problem: 'It closed its channel.' }
    return { kind: 'exited', exitCode: exitCode ?? -1 }
  }
}

function waitFor({ jobs, onFailure }: Extract<FromChild, { type: 'children' }>): ProcessEnd {
  const asked = childJobs.safeParse(jobs)
  if (asked.success) return { kind: 'waits', children: { jobs: asked.data, onFailure } }
  const message = `The children could not be enqueued: ${faultsIn(asked.error, 'jobs')}`
  return { kind: 'threw', errorCode: 'invalid_children', message, stack: '', retry: false }
}
