/**
 * Keeps the leases of a coordinator.
 *
 * Every third of the lease one statement renews all of them and says which were lost and which jobs are to be
 * cancelled. A coordinator that gets no answer must assume that others will soon take its jobs: when a lease
 * minus a margin has passed since the last acknowledged renewal, on the monotonic clock, it fences itself and
 * stops those processes *before* anybody else may claim. Time is counted from before the statement was sent,
 * so a slow answer never makes a lease look longer than it is.
 *
 * What could not be renewed is tried again soon, not with the next third: the database may be back by then. So is a job
 * that was passed over, as another holds a lock on its row. Where the lock stays, the fence is for this job alone.
 */
import type { Pool } from '../core/db.ts'
import type { Log } from '../core/log.ts'
import { heartbeat } from '../core/queue/heartbeat.ts'
import type { Lease } from '../core/queue/row.ts'
import type { SilenceWatch } from '../core/silence-watch.ts'

const marginShare = 0.2
/** How often the fence is looked at, as a share of the lease: a fraction of the margin. */
const fenceShare = 0.02
/** When those that were not renewed are tried again, in the same way. */
const retryShare = 0.02

export interface LeaseHolder {
  lost(lease: Lease): void
  cancelling(lease: Lease): void
}

export class LeaseKeeper {
  readonly #acknowledgedAt = new Map<string, { lease: Lease; at: number }>()
  #timer: NodeJS.Timeout | undefined
  #fenceTimer: NodeJS.Timeout | undefined
  #retryTimer: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined
  #again = false

  constructor(
    private readonly sql: Pool,
    private readonly holder: LeaseHolder,
    private readonly options: { leaseSeconds: number; silence: SilenceWatch; log: Log },
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
    clearTimeout(this.#retryTimer)
    this.#retryTimer = undefined
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
    this.#begin(this.#kept())
  }

  #begin(leases: Lease[]): void {
    this.#running = this.runOnce(leases).finally(() => {
      this.#running = undefined
      if (!this.#again) return
      this.#again = false
      this.renew()
    })
  }

  async runOnce(leases = this.#kept()): Promise<void> {
    if (leases.length === 0) return
    const { silence, log } = this.options
    const sentAt = performance.now()
    try {
      const { lost, cancelling, inUse } = await silence.over(heartbeat(this.sql, leases, this.options))
      const notRenewed = new Set([...lost, ...inUse].map(({ epoch }) => epoch))
      for (const { epoch } of leases) {
        const kept = this.#acknowledgedAt.get(epoch)
        if (kept !== undefined && !notRenewed.has(epoch)) kept.at = sentAt
      }
      for (const lease of lost) if (this.#acknowledgedAt.has(lease.epoch)) this.holder.lost(lease)
      for (const lease of cancelling) this.holder.cancelling(lease)
      if (inUse.length > 0) this.#retry(inUse)
    } catch (error) {
      log.warn({ err: error, leases: leases.length }, 'heartbeat.failed')
      this.#retry(leases)
    }
  }

  #kept(): Lease[] {
    return [...this.#acknowledgedAt.values()].map(({ lease }) => lease)
  }

  #retry(notRenewed: Lease[]): void {
    clearTimeout(this.#retryTimer)
    this.#retryTimer = setTimeout(
      () => {
        // One that is under way tries them, too.
        const kept = notRenewed.filter(({ epoch }) => this.#acknowledgedAt.has(epoch))
        if (this.#running === undefined) this.#begin(kept)
      },
      this.options.leaseSeconds * 1000 * retryShare,
    )
  }

  #fence(): void {
    const oldest = performance.now() - this.options.leaseSeconds * 1000 * (1 - marginShare)
    for (const { lease, at } of this.#acknowledgedAt.values()) if (at < oldest) this.holder.lost(lease)
  }
}
