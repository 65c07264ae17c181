/**
 * Hears the hints of others over LISTEN. They are hints: what is missed is found by the next poll. The library
 * reconnects by itself but says nothing when it fails to listen again, so a watchdog notifies itself, and opens
 * a new connection when it does not hear its own voice.
 */
import type { Pool } from '../core/db.ts'
import type { Log } from '../core/log.ts'
import { cancelChannel, notifyWatch, watchChannel, workChannel } from '../core/queue/wake.ts'

const watchMs = 30_000
const patienceMs = 10_000

export interface WakeListenerOptions {
  /** A connection for LISTEN alone. */
  open(): Pool
  sql: Pool
  workerId: string
  onWork(): void
  onCancel(jobId: string): void
  log: Log
}

export class WakeListener {
  #listener: Pool | undefined
  #watch: NodeJS.Timeout | undefined
  #heardAt = 0

  constructor(private readonly options: WakeListenerOptions) {}

  async start(): Promise<void> {
    if (this.#watch !== undefined) return
    this.#watch = setInterval(() => void this.#check(), watchMs)
    await this.#listen()
  }

  async stop(): Promise<void> {
    clearInterval(this.#watch)
    this.#watch = undefined
    const listener = this.#listener
    this.#listener = undefined
    await listener?.end({ timeout: 1 })
  }

  async #listen(): Promise<void> {
    const { open, workerId, onWork, onCancel, log } = this.options
    const listener = open()
    this.#listener = listener
    try {
      // Whatever happened while the connection was away is looked for each time it is back.
      await listener.listen(workChannel, onWork, onWork)
      await listener.listen(cancelChannel, onCancel)
      await listener.listen(watchChannel, (whose) => {
        if (whose === workerId) this.#heardAt = performance.now()
      })
    } catch (error) {
      log.warn({ err: error }, 'listen.failed')
    }
  }

  async #check(): Promise<void> {
    const { sql, workerId, log } = this.options
    const sentAt = performance.now()
    try {
      await notifyWatch(sql, workerId)
    } catch {
      // Without a database there is nothing to hear; the poll says so.
      return
    }
    await new Promise((resolve) => setTimeout(resolve, patienceMs))
    if (this.#heardAt >= sentAt || this.#watch === undefined) return
    log.warn('listener.deaf')
    const deaf = this.#listener
    await this.#listen()
    await deaf?.end({ timeout: 1 })
  }
}
