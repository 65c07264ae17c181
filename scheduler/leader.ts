/**
 * The long-lived scheduler: one of many leads, by a lease in PostgreSQL; the others look whether it still does.
 * One statement renews the lease and says how long it is until the next schedule is due, on the database's clock:
 * so the leader is awake at that moment, whatever its own clock says.
 */
import type { Family } from '../core/metrics/exposition.ts'
import { lead, resign } from '../core/schedules/lead.ts'
import type { SilenceWatch } from '../core/silence-watch.ts'
import { registerDuties } from '../core/upkeep/duties.ts'
import { type Beat, signOff } from '../core/workers/beat.ts'
import { doDuties, fire, type TickDependencies, tellWebhooks } from './tick.ts'

const beatMs = 10_000
/** A schedule that was just made is found within this time. */
const longestPollMs = 2000
/** When another is at the schedules that are due. */
const otherIsFiringMs = 50

export interface SchedulerOptions extends TickDependencies {
  /** Its name among the holders of the lease. */
  id: string
  leaseSeconds: number
  info: { pid: number; bun: string }
  ownMetrics(): Family[]
  silence: SilenceWatch
}

export class Scheduler {
  readonly #pollMs: number
  #state: 'stopped' | 'running' = 'stopped'
  #stopping = Promise.resolve()
  #timer: NodeJS.Timeout | undefined
  /** Tells all that is under way to end soon. */
  #stop = new AbortController()
  #pass: Promise<void> | undefined
  #upkeep: Promise<unknown> | undefined
  #telling: Promise<unknown> | undefined
  #epoch: string | null = null
  #isRegistered = false
  #beatAt = Number.NEGATIVE_INFINITY

  constructor(private readonly options: SchedulerOptions) {
    this.#pollMs = Math.min(longestPollMs, (options.leaseSeconds * 1000) / 4)
  }

  start(): void {
    if (this.#state === 'running') return
    this.#state = 'running'
    this.#stop = new AbortController()
    this.#wake()
  }

  /** Resolves when nothing of it is under way any more, and another may lead. */
  stop(): Promise<void> {
    if (this.#state === 'stopped') return this.#stopping
    this.#state = 'stopped'
    clearTimeout(this.#timer)
    this.#stop.abort()
    this.#stopping = this.#end()
    return this.#stopping
  }

  /** @returns milliseconds until it should look again */
  async runOnce(): Promise<number> {
    const { sql, id, leaseSeconds, duties, silence, log } = this.options
    try {
      if (!this.#isRegistered) await silence.over(registerDuties(sql, duties))
      this.#isRegistered = true
      const names = duties.map(({ name }) => name)
      const beat = this.#nextBeat()
      const { epoch, nextDueInSeconds, nextDutyInSeconds, hasNews } = await silence.over(
        lead(sql, id, { leaseSeconds, duties: names, beat }),
      )
      if (beat !== undefined) this.#beatAt = performance.now() + beatMs
      if (epoch !== this.#epoch) log.info({ epoch }, epoch === null ? 'leadership.lost' : 'leadership.taken')
      this.#epoch = epoch
      if (epoch === null) return this.#pollMs
      if (nextDutyInSeconds !== null && nextDutyInSeconds <= 0) this.#doUpkeep()
      if (hasNews) this.#tellWebhooks()
      if (nextDueInSeconds === null || nextDueInSeconds * 1000 > this.#pollMs) return this.#pollMs
      // A timer may be a little early by the database's clock.
      if (nextDueInSeconds > 0) return nextDueInSeconds * 1000 + 1
      // To catch up may rightly take minutes, but none of its transactions does.
      const fired = await fire(this.options, {
        signal: this.#stop.signal,
        watch: (firing) => silence.over(firing),
      })
      return Object.values(fired).some((count) => count > 0) ? 0 : otherIsFiringMs
    } catch (error) {
      log.warn({ err: error }, 'pass.failed')
      return this.#pollMs
    }
  }

  #wake(): void {
    this.#pass ??= this.runOnce().then((waitMs) => {
      this.#pass = undefined
      if (this.#state === 'running') this.#timer = setTimeout(() => this.#wake(), waitMs)
    })
  }

  #nextBeat(): Beat | undefined {
    const { id, info, ownMetrics } = this.options
    if (performance.now() < this.#beatAt) return undefined
    return { id, kind: 'scheduler', slots: 0, info, metrics: ownMetrics() }
  }

  /** Beside the schedules: however long it takes, they fire in time. */
  #doUpkeep(): void {
    this.#upkeep ??= doDuties(this.options, this.#stop.signal)
      .catch((error) => this.options.log.warn({ err: error }, 'upkeep.failed'))
      .finally(() => {
        this.#upkeep = undefined
      })
  }

  #tellWebhooks(): void {
    this.#telling ??= tellWebhooks(this.options, this.#stop.signal).finally(() => {
      this.#telling = undefined
    })
  }

  async #end(): Promise<void> {
    await this.#pass
    // Before the upkeep has ended: a duty may take a minute, and nothing fires while nobody leads.
    await this.#leave(resign)
    await this.#upkeep
    await this.#telling
    await this.#leave(signOff)
    this.#epoch = null
  }

  async #leave(act: typeof resign | typeof signOff): Promise<void> {
    const { sql, id, log } = this.options
    try {
      await act(sql, id)
    } catch (error) {
      log.warn({ err: error }, 'sign_off.failed')
    }
  }
}
