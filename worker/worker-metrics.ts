/** What one worker alone knows of its work, as metrics since it started. */
import { type Bucket, type Family, family, histogram } from '../core/metrics/exposition.ts'

const cancelBounds = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, Number.POSITIVE_INFINITY]

/** Where the process for a job came from: it stood by, had run a job before, or had to be spawned. */
export type Taken = 'standby' | 'used' | 'spawned'

export class WorkerMetrics {
  readonly #taken: Record<Taken, number> = { standby: 0, used: 0, spawned: 0 }
  readonly #cancels: Bucket[] = cancelBounds.map((le) => ({ labels: {}, le, count: 0, sum: 0 }))
  #staleFinishes = 0

  took(from: Taken): void {
    this.#taken[from]++
  }

  /** An end was refused: the lease was no longer ours. */
  staleFinish(): void {
    this.#staleFinishes++
  }

  /** @param seconds from the request until process, scratch directory and outputs were gone */
  cancelled(seconds: number): void {
    const bucket = this.#cancels.find(({ le }) => seconds <= le)
    if (bucket === undefined) return
    bucket.count++
    bucket.sum += seconds
  }

  families(): Family[] {
    return [
      family(
        'counter',
        'job_server_processes_taken_total',
        'Processes that jobs were given, by where they came from.',
        Object.entries(this.#taken).map(([from, value]) => ({ labels: { from }, value })),
      ),
      family(
        'counter',
        'job_server_stale_finish_total',
        'Ends that were refused, as the lease had gone to another worker.',
        [{ value: this.#staleFinishes }],
      ),
      histogram(
        'job_server_cancel_seconds',
        'Time from the request to cancel a running job until nothing of it was left.',
        this.#cancels,
      ),
    ]
  }
}
