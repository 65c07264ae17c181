/**
 * The coordinator's end of its guardian: a tiny process that kills what the coordinator leaves behind.
 *
 * A job process ends itself when its channel closes, but one that blocks its event loop never learns of that, and
 * FFmpeg doesn't even know of a channel. So a second process, in a session of its own, holds a pipe to the
 * coordinator. It is told of each job process from spawn to end. When the pipe closes, however the coordinator went,
 * it kills the trees that are left and removes the coordinator's directories (guardian-process.ts).
 *
 *   coordinator ──watch(root)──► guardian      a job process was spawned
 *   coordinator ──release(pid)──► guardian     it and all that came of it are gone
 *   coordinator ──end of file──► guardian      kill what is left, exit
 */
import { fileURLToPath } from 'node:url'
import type { Subprocess } from 'bun'
import type { Log } from '../core/log.ts'
import type { TreeRoot } from './process-tree.ts'

const entry = fileURLToPath(new URL('./guardian-process.ts', import.meta.url))
const respawnMs = 500

export type ToGuardian =
  | { type: 'directories'; directories: string[] }
  | { type: 'watch'; root: TreeRoot }
  | { type: 'release'; pid: number }

export class Guardian {
  readonly #roots = new Map<number, TreeRoot>()
  #process: Subprocess<'pipe', 'ignore', 'ignore'> | undefined
  #respawn: NodeJS.Timeout | undefined
  #stopped = false

  constructor(
    private readonly options: {
      /** Of the coordinator. What works in one of them is killed, and they are removed. */
      directories: string[]
      environment: Record<string, string | undefined>
      log: Log
    },
  ) {}

  start(): void {
    if (this.#process === undefined && !this.#stopped) this.#spawn()
  }

  /** Resolves when it has ended; what is still watched it has killed. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#respawn)
    this.#process?.stdin.end()
    await this.#process?.exited
  }

  watch(root: TreeRoot): void {
    this.#roots.set(root.pid, root)
    this.#tell({ type: 'watch', root })
  }

  release(pid: number): void {
    this.#roots.delete(pid)
    this.#tell({ type: 'release', pid })
  }

  #spawn(): void {
    const { log, environment, directories } = this.options
    const fresh = Bun.spawn([process.execPath, '--no-install', '--no-env-file', '--smol', entry], {
      cwd: '/',
      env: { PATH: environment.PATH },
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    })
    this.#process = fresh
    this.#tell({ type: 'directories', directories })
    for (const root of this.#roots.values()) this.#tell({ type: 'watch', root })
    fresh.exited.then((status) => {
      if (this.#stopped) return
      log.error({ status, signal: fresh.signalCode }, 'guardian.died')
      this.#process = undefined
      this.#restartSoon()
    })
  }

  #restartSoon(): void {
    this.#respawn = setTimeout(() => {
      try {
        this.start()
      } catch (err) {
        // No process is to be had: a job may have taken them all, for a moment.
        this.options.log.warn({ err }, 'guardian.not_started')
        this.#restartSoon()
      }
    }, respawnMs)
  }

  #tell(message: ToGuardian): void {
    const stdin = this.#process?.stdin
    if (stdin === undefined || this.#process?.exitCode !== null) return
    try {
      stdin.write(`${JSON.stringify(message)}\n`)
      stdin.flush()
    } catch {
      // It just died; the next one is told all anew.
    }
  }
}
