/** The long-lived scheduler: one of many leads, by a lease in PostgreSQL; the others wait to take over. */
import { lead, resign } from '../core/schedules/lead.ts'
import { type TickDependencies, tick, upkeep } from './tick.ts'

const leaseSeconds = 10
const tickMs = 1000
const upkeepMs = 60_000

export class Scheduler {
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined
  #epoch: string | null = null
  #upkeepAt = 0

  constructor(
    private readonly holder: string,
    private readonly dependencies: TickDependencies,
  ) {}

  start(): void {
    this.#timer ??= setInterval(() => this.#wake(), tickMs)
    this.#wake()
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#timer = undefined
    await this.#running
    if (this.#epoch !== null) await resign(this.dependencies.sql, this.holder)
    this.#epoch = null
  }

  async runOnce(): Promise<void> {
    const { sql, log } = this.dependencies
    try {
      const epoch = await lead(sql, this.holder, leaseSeconds)
      if (epoch !== this.#epoch) log.info({ epoch }, epoch === null ? 'leadership.lost' : 'leadership.taken')
      this.#epoch = epoch
      if (epoch === null) return
      await tick(this.dependencies)
      if (performance.now() < this.#upkeepAt) return
      this.#upkeepAt = performance.now() + upkeepMs
      await upkeep(this.dependencies)
    } catch (error) {
      log.warn({ err: error }, 'tick.failed')
    }
  }

  #wake(): void {
    this.#running ??= this.runOnce().finally(() => {
      this.#running = undefined
    })
  }
}
