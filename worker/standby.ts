/** Job processes spawned ahead, with the runtime up, so that a job starts without waiting for a spawn. */
import type { Log } from '../core/log.ts'
import { JobProcess } from './job-process.ts'

export class Standby {
  readonly #waiting: JobProcess[] = []
  #stopped = false

  constructor(
    private readonly options: {
      size: number
      workingDirectory: string
      environment: Record<string, string | undefined>
      log: Log
    },
  ) {}

  start(): void {
    this.#refill()
  }

  /** A process that waits, or a new one. */
  take(): JobProcess {
    const waiting = this.#waiting.shift() ?? this.#spawn()
    this.#refill()
    return waiting
  }

  async stop(): Promise<void> {
    this.#stopped = true
    const processes = this.#waiting.splice(0)
    for (const waiting of processes) waiting.kill()
    await Promise.all(processes.map(({ ended }) => ended))
  }

  #refill(): void {
    while (!this.#stopped && this.#waiting.length < this.options.size) {
      const fresh = this.#spawn()
      this.#waiting.push(fresh)
      fresh.ended.then(() => this.#forget(fresh))
    }
  }

  /** A process that dies while it waits is not replaced at once: the next take does that, so no loop can spin. */
  #forget(fresh: JobProcess): void {
    const place = this.#waiting.indexOf(fresh)
    if (place === -1 || this.#stopped) return
    this.#waiting.splice(place, 1)
    this.options.log.warn({ pid: fresh.pid }, 'standby.died')
  }

  #spawn(): JobProcess {
    return new JobProcess(this.options)
  }
}
