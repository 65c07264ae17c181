/**
 * How far a part is. What an attempt has reached stays when the next one begins anew: it is kept in the checkpoint, so
 * that the progress of the whole video does not go back when a worker is lost.
 */
import type { JobContext } from '../../../core/job.ts'
import type { EncodeProgress } from '../progress.ts'

/** Between what is kept. */
const stepPercent = 1

export class PartPercent {
  readonly #context: Pick<JobContext, 'progress' | 'saveCheckpoint'>
  #reached: number
  #kept: number

  constructor(context: Pick<JobContext, 'progress' | 'saveCheckpoint' | 'checkpoint'>) {
    this.#context = context
    const { checkpoint } = context
    const before =
      checkpoint !== null && typeof checkpoint === 'object' && 'percent' in checkpoint
        ? Number(checkpoint.percent)
        : 0
    this.#reached = this.#kept = before
  }

  report({ percent, ...pace }: EncodeProgress): void {
    this.#reached = Math.max(this.#reached, percent)
    this.#context.progress({ ...pace, percent: this.#reached, phase: 'encoding' })
    if (this.#reached < this.#kept + stepPercent) return
    this.#kept = this.#reached
    this.#context.saveCheckpoint({ percent: this.#reached })
  }
}
