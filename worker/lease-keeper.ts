/**
 * Keeps the leases of a coordinator.
 *
 * Every third of the lease one statement renews all of them and says which were lost and which jobs are to be
 * cancelled. A coordinator that gets no answer must assume that others will soon take its jobs: when a lease
 * minus a margin has passed since the last acknowledged renewal, on the monotonic clock, it fences itself and
 * stops those processes *before* anybody else may claim. Time is counted from before the statement was sent,
 * so a slow answer never makes a lease look longer than it is.
 */
import type { Pool } from '../core/db.ts'
import type { Log } from '../core/log.ts'
import { heartbeat } from '../core/queue/heartbeat.ts'
import type { Lease } from '../core/queue/row.ts'

const marginShare = 0.2
/** How often the fence is looked at, as a share of the lease: a fraction of the margin. */
const fenceShare = 0.02

export interface LeaseHolder {
  lost(lease: Lease): void
  cancelling(lease: Lease): void
}

export class LeaseKeeper {
  readonly #acknowledgedAt = new Map<string, { lease: Lease; at: number }>()
  #timer: NodeJS.Timeout | undefined
  #fenceTimer: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined
  #again = false

  constructor(
    private readonly sql: Pool,
    private readonly holder: LeaseHolder,
    private readonly options: { leaseSeconds: number; log: Log },
  ) {}

  start(): void {
    const leaseMs = this.options.leaseSeconds * 1000
    this.#timer ??= setInterval(() => this.renew(), leaseMs / 3)
    this.#fenceTimer ??= setInterval(() => this.#fence(), leaseMs * fenceShare)
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    clearInterval(this.#fenceTimer)
    this.#timer = undefined
    this.#fenceTimer = undefined
    await this.#running
  }

  /** @param claimedAt `performance.now()` from before the claim was sent */
  keep(lease: Lease, claimedAt: number): void {
    this.#acknowledgedAt.set(lease.epoch, { lease, at: claimedAt })
  }

  release(lease: Lease): void {
    this.#acknowledgedAt.delete(lease.epoch)
  }

  /** Renews now; a call while one is under way makes one more follow it. */
  renew(): void {
    if (this.#running !== undefined) {
      this.#again = true
      return
    }
    this.#running = this.runOnce().finally(() => {
      this.#running = undefined
      if (!this.#again) return
      this.#again = false
      this.renew()
    })
  }

  async runOnce(): Promise<void> {
    const leases = [...this.#acknowledgedAt.values()].map(({ lease }) => lease)
    if (leases.length === 0) return
    const sentAt = performance.now()
    try {
      const { lost, cancelling } = await heartbeat(this.sql, leases, this.options)
      const lostEpochs = new Set(lost.map(({ epoch }) => epoch))
      for (const { epoch } of leases) {
        const kept = this.#acknowledgedAt.get(epoch)
        if (kept !== undefined && !lostEpochs.has(epoch)) kept.at = sentAt
      }
      for (const lease of lost) if (this.#acknowledgedAt.has(lease.epoch)) this.holder.lost(lease)
      for (const lease of cancelling) this.holder.cancelling(lease)
    } catch (error) {
      this.options.log.warn({ err: error, leases: leases.length }, 'heartbeat.failed')
    }
  }

  #fence(): void {
    const oldest = performance.now() - this.options.leaseSeconds * 1000 * (1 - marginShare)
    for (const { lease, at } of this.#acknowledgedAt.values()) if (at < oldest) this.holder.lost(lease)
  }
}
