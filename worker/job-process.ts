/**
 * One job process from spawn to its end. It leads a process group of its own, so that whatever the job started
 * (FFmpeg above all) is reached by one signal, and it sees none of our environment but what the list allows.
 *
 *   starting ──ready──► idle ──run──► running ──result | failure | exit | stop──► ended (group killed, reaped)
 */
import { fileURLToPath } from 'node:url'
import type { Subprocess } from 'bun'
import type { Json } from '../core/json.ts'
import { type FromChild, fromChild, type RunMessage, type StorageRequest, type ToChild } from './protocol.ts'

const entry = fileURLToPath(new URL('./child.ts', import.meta.url))
const allowedEnvironment = [
  'PATH',
  'LANG',
  'LC_ALL',
  'TZ',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'NODE_EXTRA_CA_CERTS',
]
const keptOutputBytes = 64 * 1024
const lastWordMs = 500

/** Why a running process is stopped from outside. */
export type StopReason = 'cancelled' | 'timed_out' | 'interrupted' | 'lease_lost'

export type ProcessEnd =
  | { kind: 'succeeded'; result: Json }
  | { kind: 'threw'; errorCode: string; message: string; stack: string; retry: boolean }
  | { kind: 'exited'; exitCode: number; output: string }
  | { kind: 'signalled'; signal: string; output: string }
  | { kind: 'stopped'; reason: StopReason }

export type JobReport = Extract<FromChild, { type: 'progress' | 'event' | 'checkpoint' | 'log' }>

export interface JobListener {
  report(message: JobReport): void
  storage(message: StorageRequest): void
}

export class JobProcess {
  readonly pid: number
  /** Settles when the runtime is up; rejects when the process ended before. */
  readonly ready: Promise<void>
  /** Settles when the process and its group are gone. */
  readonly ended: Promise<ProcessEnd>
  readonly #child: Subprocess<'ignore', 'pipe', 'pipe'>
  readonly #becameReady = Promise.withResolvers<void>()
  readonly #disconnected = Promise.withResolvers<void>()
  readonly #output: OutputTail
  #listener: JobListener | undefined
  #lastWord: ProcessEnd | undefined
  #stopReason: StopReason | undefined
  #killTimer: NodeJS.Timeout | undefined

  constructor(options: { workingDirectory: string; environment: Record<string, string | undefined> }) {
    this.#child = Bun.spawn([process.execPath, '--no-install', entry], {
      cwd: options.workingDirectory,
      env: Object.fromEntries(allowedEnvironment.map((name) => [name, options.environment[name]])),
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: 'pipe',
      serialization: 'json',
      detached: true,
      ipc: (message) => this.#receive(message),
      onDisconnect: () => this.#disconnected.resolve(),
    })
    this.pid = this.#child.pid
    this.#output = new OutputTail([this.#child.stdout, this.#child.stderr])
    this.ready = this.#becameReady.promise
    this.ready.catch(() => {})
    this.ended = this.#awaitEnd()
  }

  run(message: RunMessage, listener: JobListener): void {
    this.#listener = listener
    this.send(message)
  }

  send(message: ToChild): void {
    // A child that just died no longer takes messages; its end is on the way.
    if (this.#child.exitCode === null && !this.#child.killed) this.#child.send(message)
  }

  /** Aborts the signal in the job; SIGKILL to the whole group after the grace. The first reason stands. */
  stop(reason: StopReason, graceSeconds: number): void {
    if (this.#stopReason !== undefined) return
    this.#stopReason = reason
    if (graceSeconds > 0) {
      this.send({ type: 'abort', reason })
      this.#killTimer = setTimeout(() => this.kill(), graceSeconds * 1000)
    } else this.kill()
  }

  kill(): void {
    try {
      process.kill(-this.pid, 'SIGKILL')
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
    }
  }

  #receive(raw: unknown): void {
    const parsed = fromChild.safeParse(raw)
    if (!parsed.success) {
      this.#lastWord ??= {
        kind: 'threw',
        errorCode: 'protocol_error',
        message: 'The job process sent a message that is not of its protocol.',
        stack: '',
        retry: false,
      }
      this.kill()
      return
    }
    const message = parsed.data
    switch (message.type) {
      case 'ready':
        this.#becameReady.resolve()
        break
      case 'storage':
        this.#listener?.storage(message)
        break
      case 'result':
        this.#lastWord ??= { kind: 'succeeded', result: message.result }
        break
      case 'failure':
        this.#lastWord ??= { ...message, kind: 'threw' }
        break
      default:
        this.#listener?.report(message)
    }
  }

  async #awaitEnd(): Promise<ProcessEnd> {
    await this.#child.exited
    clearTimeout(this.#killTimer)
    // The leader is gone; what it left behind in its group goes now.
    this.kill()
    // The exit may be seen before the last message is read; an empty channel says that nothing more comes.
    await within(this.#disconnected.promise, lastWordMs)
    const output = await this.#output.text()
    this.#becameReady.reject(new Error(`job process ended before it was ready: ${output.slice(-2000)}`))
    if (this.#stopReason !== undefined && this.#lastWord?.kind !== 'succeeded') {
      return { kind: 'stopped', reason: this.#stopReason }
    }
    if (this.#lastWord !== undefined) return this.#lastWord
    if (this.#child.signalCode !== null)
      return { kind: 'signalled', signal: String(this.#child.signalCode), output }
    return { kind: 'exited', exitCode: this.#child.exitCode ?? -1, output }
  }
}

/** What a process outside the group still holds open is not waited for. */
async function within(done: Promise<unknown>, milliseconds: number): Promise<void> {
  const patience = Promise.withResolvers<void>()
  const timer = setTimeout(patience.resolve, milliseconds)
  await Promise.race([done, patience.promise])
  clearTimeout(timer)
}

/** Reads streams to their end, so that the child never blocks on a full pipe, and keeps the last bytes. */
class OutputTail {
  #kept = Buffer.alloc(0)
  readonly #done: Promise<unknown>

  constructor(streams: ReadableStream<Uint8Array>[]) {
    this.#done = Promise.all(streams.map((stream) => this.#read(stream)))
  }

  async text(): Promise<string> {
    await within(this.#done, lastWordMs)
    return this.#kept.toString('utf8')
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    for await (const chunk of stream) {
      this.#kept = Buffer.concat([this.#kept, chunk])
      if (this.#kept.length > keptOutputBytes) this.#kept = this.#kept.subarray(-keptOutputBytes)
    }
  }
}
