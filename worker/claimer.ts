/**
 * Claims, and takes care that claims stay quick while some transaction is left open somewhere.
 *
 *   heads ──a claim takes long──► cursors ──a look at the whole lanes is quick again──► heads
 *
 * With cursors a claim reads lanes from where the last one came to. Looks go on beside the claims, each followed by a
 * rest of many times what it took, and what they find behind the cursors is claimed next.
 *
 * A claim whose answer was lost may have taken jobs that nobody runs. Before the next one these go back: claims of a worker
 * follow one another and epochs only grow, so they are those beyond the last epoch it was told of.
 */
import { isUnanswered, type Pool } from '../core/db.ts'
import type { Log } from '../core/log.ts'
import { type ClaimedJob, type ClaimOptions, type ClaimRequest, claim } from '../core/queue/claim.ts'
import { giveBackUnknown } from '../core/queue/give-back.ts'
import { LaneCursors } from '../core/queue/lane-cursors.ts'
import type { Served } from '../core/queue/lanes.ts'
import { lookAtLanes } from '../core/queue/look-at-lanes.ts'

/**
 * A claim or a look that takes longer, and so much longer for each job and each lane, has read past much. Among thousands
 * of lanes both take tens of milliseconds with nothing to read past.
 */
const slowMs = 10
const slowMsPerJob = 0.1
const slowMsPerLane = 0.03
/** A look reads of each lane where it begins and ends, whether it has jobs or not. */
const lookMsPerLane = 0.1
/** Looks may take a twentieth of one connection. */
const restFactor = 20
const minRestMs = 1000
/** Two slow claims in that time are a sign: a worker that claims now and then only need not be quicker. */
const signMs = 1000
/** After a look that was quick, claims that take long do so for other reasons. */
const trustMs = 5000

export interface ClaimerOptions {
  sql: Pool
  /** What the worker may claim. */
  served(): Served
  /** There are jobs to claim that no notification tells of. */
  found(): void
  log: Log
}

export class Claimer {
  #cursors: LaneCursors | undefined
  #slowAt = Number.NEGATIVE_INFINITY
  #trustedUntil = Number.NEGATIVE_INFINITY
  #looking: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #isStopped = false
  #lastEpoch = 0n
  /** Whose last claim brought no answer. */
  #unanswered: string | undefined

  constructor(private readonly options: ClaimerOptions) {}

  /** Undefined while lanes are read from their heads. */
  get cursors(): LaneCursors | undefined {
    return this.#cursors
  }

  /** One at a time. */
  async claim(request: ClaimRequest, options: ClaimOptions): Promise<ClaimedJob[]> {
    await this.#giveBack()
    const beganAt = performance.now()
    let jobs: ClaimedJob[]
    try {
      jobs = await claim(this.options.sql, { ...request, cursors: this.#cursors }, options)
    } catch (error) {
      if (isUnanswered(error)) this.#unanswered = request.workerId
      throw error
    }
    for (const { lease } of jobs) {
      const epoch = BigInt(lease.epoch)
      if (epoch > this.#lastEpoch) this.#lastEpoch = epoch
    }
    if (this.#cursors === undefined)
      this.#note(beganAt, slowAfterMs(jobs.length) + (options.lanes ?? 0) * slowMsPerLane)
    return jobs
  }

  /** Resolves when no look is under way, and no job is left of a claim without an answer. */
  async stop(): Promise<void> {
    this.#isStopped = true
    clearTimeout(this.#timer)
    await this.#looking
    try {
      await this.#giveBack()
    } catch (error) {
      this.options.log.warn({ err: error }, 'lost_claim.left')
    }
  }

  async #giveBack(): Promise<void> {
    if (this.#unanswered === undefined) return
    const { sql, log } = this.options
    const lost = { workerId: this.#unanswered, afterEpoch: String(this.#lastEpoch) }
    const jobs = await giveBackUnknown(sql, lost)
    this.#unanswered = undefined
    if (jobs > 0) log.warn({ jobs }, 'lost_claim.given_back')
  }

  #note(beganAt: number, mayTakeMs: number): void {
    const now = performance.now()
    if (now - beganAt < mayTakeMs) return
    const isSign = beganAt < this.#slowAt + signMs && now > this.#trustedUntil
    this.#slowAt = now
    if (!isSign) return
    this.#cursors = new LaneCursors()
    this.#looking = this.#look(this.#cursors)
  }

  async #look(cursors: LaneCursors): Promise<void> {
    if (this.#isStopped) return
    const beganAt = performance.now()
    let isQuick = false
    try {
      const read = await lookAtLanes(this.options.sql, this.options.served(), cursors)
      const mayTakeMs = slowAfterMs(read.jobs) / 2 + read.lanes * lookMsPerLane
      isQuick = performance.now() - beganAt < mayTakeMs
      if (read.stragglers > 0) this.options.found()
    } catch (error) {
      this.options.log.warn({ err: error }, 'lanes.look_failed')
    }
    if (isQuick) {
      this.#cursors = undefined
      this.#trustedUntil = performance.now() + trustMs
      return
    }
    if (this.#isStopped) return
    const restMs = Math.max((performance.now() - beganAt) * restFactor, minRestMs)
    this.#timer = setTimeout(() => {
      this.#looking = this.#look(cursors)
    }, restMs)
  }
}

function slowAfterMs(jobs: number): number {
  return slowMs + jobs * slowMsPerJob
}
