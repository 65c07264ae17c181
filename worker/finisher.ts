/**
 * Writes the ends of attempts, those that come together in one statement. It tries until the database answers: an
 * end must not be lost while the lease is ours. What the database refuses for its data it would refuse for ever;
 * such an attempt fails with that instead.
 */
import { isInUse, isRefusedData, isUnanswered, type Pool } from '../core/db.ts'
import { DomainError } from '../core/errors.ts'
import type { Log } from '../core/log.ts'
import { type Children, type End, type Finished, finish, finishWithChildren } from '../core/queue/finish.ts'
import { sweep } from '../core/queue/release.ts'
import type { Lease } from '../core/queue/row.ts'
import type { WorkerMetrics } from './worker-metrics.ts'

const retryMs = 500
const batchSize = 500
/** More is not taken up while so many wait: the database is slower than the jobs. */
const room = 1000

/** `lost`: the lease is no longer ours. `unknown`: no answer came for as long as a lease lasts. */
export type Written = Finished | 'lost' | 'unknown'

interface Waiting {
  lease: Lease
  end: End
  giveUpAt: number
  settle: (written: Written) => void
}

export class Finisher {
  #waiting: Waiting[] = []
  #writing: Promise<void> | undefined
  #hadRoom: (() => void)[] = []
  /** Whether an end may have been written whose answer was lost, and what follows from it left undone. */
  #mayHaveEnded = false

  constructor(
    private readonly sql: Pool,
    private readonly options: { leaseSeconds: number; metrics: WorkerMetrics; log: Log },
  ) {}

  finish(lease: Lease, end: End): Promise<Written> {
    return new Promise((settle) => {
      const giveUpAt = performance.now() + this.options.leaseSeconds * 1000
      this.#waiting.push({ lease, end, giveUpAt, settle })
      this.#writing ??= this.#write().finally(() => {
        this.#writing = undefined
      })
    })
  }

  /** Resolves when not too many ends wait to be written. */
  async hasRoom(): Promise<void> {
    while (this.#waiting.length > room) await new Promise<void>((resolve) => this.#hadRoom.push(resolve))
  }

  /**
   * The job waits for children, which are enqueued with that.
   * @throws DomainError or PostgresError when one of them can't be, however often it is tried; what `isInUse` knows when
   *   another transaction was in the way of that for as long as a lease lasts
   */
  async finishWithChildren(lease: Lease, children: Children): Promise<Written> {
    const giveUpAt = performance.now() + this.options.leaseSeconds * 1000
    let mayHaveEnded = false
    for (;;) {
      try {
        return await finishWithChildren(this.sql, lease, children)
      } catch (error) {
        if (error instanceof DomainError || isRefusedData(error)) throw error
        this.options.log.warn({ err: error }, 'finish.failed')
        mayHaveEnded ||= isUnanswered(error)
        if (performance.now() > giveUpAt) {
          // Then the database has answered each time, and undone what it had begun.
          if (isInUse(error) && !mayHaveEnded) throw error
          return 'unknown'
        }
        await pause()
      }
    }
  }

  async #write(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, batchSize)
      for (const resolve of this.#hadRoom.splice(0)) resolve()
      try {
        await this.#writeBatch(batch)
      } catch (error) {
        this.#mayHaveEnded = true
        this.options.log.warn({ err: error, ends: batch.length }, 'finish.failed')
        await this.#writeAgain(batch, error)
        continue
      }
      if (this.#mayHaveEnded) await this.#followUp()
    }
  }

  async #followUp(): Promise<void> {
    try {
      await sweep(this.sql)
      this.#mayHaveEnded = false
    } catch (error) {
      this.options.log.warn({ err: error }, 'sweep.failed')
    }
  }

  async #writeBatch(batch: Waiting[]): Promise<void> {
    const { finished } = await finish(this.sql, batch)
    const byEpoch = new Map(finished.map((end) => [end.lease.epoch, end]))
    for (const { lease, settle } of batch) {
      const end = byEpoch.get(lease.epoch)
      if (end === undefined) this.options.metrics.staleFinish()
      else if (end.cancelSeconds !== undefined) this.options.metrics.cancelled(end.cancelSeconds)
      settle(end ?? 'lost')
    }
  }

  /**
   * One by one where the data of one may be what was refused, or another holds a lock on one; else after a pause, together.
   */
  async #writeAgain(batch: Waiting[], error: unknown): Promise<void> {
    const [only] = batch
    if ((isRefusedData(error) || isInUse(error)) && batch.length > 1) {
      for (const one of batch) {
        try {
          await this.#writeBatch([one])
        } catch (cause) {
          await this.#writeAgain([one], cause)
        }
      }
      return
    }
    if (isRefusedData(error) && only !== undefined && only.end !== unstorable) {
      this.#waiting.unshift({ ...only, end: unstorable })
      return
    }
    const now = performance.now()
    for (const { settle } of batch.filter(({ giveUpAt }) => giveUpAt < now)) settle('unknown')
    this.#waiting.unshift(...batch.filter(({ giveUpAt }) => giveUpAt >= now))
    await pause()
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, retryMs))
}

const unstorable: End = {
  kind: 'failed',
  outcome: 'threw',
  errorCode: 'unserialisable_result',
  message: 'The database can not store the end of the job as it was reported.',
  retry: false,
  retryInSeconds: 0,
  crashed: false,
}
