/**
 * Processes of the stack. Each leads a group of its own, so that Ctrl-C reaches only us and we stop them in
 * order; each holds an IPC channel to us and ends when we are gone, however we went.
 */
import { fileURLToPath } from 'node:url'
import type { Subprocess } from 'bun'

const root = fileURLToPath(new URL('..', import.meta.url))
const endWithParent = fileURLToPath(new URL('./end-with-parent.ts', import.meta.url))
const keptLines = 50

export interface ChildOptions {
  name: string
  /** A file of this project, from its root. */
  entry: string
  arguments?: string[]
  environment?: Record<string, string | undefined>
  /** Lines it writes to standard output and standard error. */
  onLine?: ((line: string) => void) | undefined
}

export class ChildProcess {
  readonly name: string
  readonly pid: number
  readonly exited: Promise<number>
  /** Settles when it says that it is up; rejects with what it wrote when it ends before. */
  readonly ready: Promise<void>
  readonly #child: Subprocess<'ignore', 'pipe', 'pipe'>
  readonly #lastLines: string[] = []

  constructor(options: ChildOptions) {
    const { name, entry, environment = process.env } = options
    this.name = name
    const becameReady = Promise.withResolvers<void>()
    this.#child = Bun.spawn(
      [process.execPath, '--preload', endWithParent, `${root}${entry}`, ...(options.arguments ?? [])],
      {
        cwd: root,
        env: environment,
        stdin: 'ignore',
        stdout: 'pipe',
        stderr: 'pipe',
        serialization: 'json',
        detached: true,
        ipc: (message) => {
          if (message === 'ready') becameReady.resolve()
        },
      },
    )
    this.pid = this.#child.pid
    const onLine = (line: string) => {
      this.#lastLines.push(line)
      if (this.#lastLines.length > keptLines) this.#lastLines.shift()
      options.onLine?.(line)
    }
    const read = Promise.all([readLines(this.#child.stdout, onLine), readLines(this.#child.stderr, onLine)])
    this.exited = this.#child.exited.then(async (status) => {
      await Promise.race([read, Bun.sleep(200)])
      becameReady.reject(
        new Error(`${name} ended with status ${status}:\n${this.#lastLines.join('\n')}`.trim()),
      )
      return status
    })
    this.ready = becameReady.promise
    this.ready.catch(() => {})
  }

  get lastLines(): string {
    return this.#lastLines.join('\n')
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** SIGTERM, and SIGKILL after the grace. */
  async stop(graceSeconds: number): Promise<void> {
    this.signal('SIGTERM')
    const timer = setTimeout(() => this.signal('SIGKILL'), graceSeconds * 1000)
    await this.exited
    clearTimeout(timer)
  }
}

async function readLines(stream: ReadableStream<Uint8Array>, onLine: (line: string) => void) {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    lines.forEach(onLine)
  }
  if (rest !== '') onLine(rest)
}
