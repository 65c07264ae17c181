/**
 * How far back each pass over what becomes due has to look. Usually to the very beginning; where that has come to take
 * long, since entries of all that is over stand before what is due, only to where the last pass came, and to the
 * beginning after a rest.
 */

const slowMs = 20
/** Passes from the beginning may take a twentieth of one connection. */
const restFactor = 20
/** What becomes due is committed within that time. */
const marginSeconds = 1

export interface Pass {
  beganAt: number
  /** Undefined: from the beginning. */
  withinSeconds: number | undefined
}

export class Passes {
  /** When a pass began before which nothing that was due was left. */
  #coveredTo = Number.NEGATIVE_INFINITY
  #wholeDueAt = Number.NEGATIVE_INFINITY

  /** @param now milliseconds of a clock that never goes back */
  constructor(private readonly now = () => performance.now()) {}

  begin(): Pass {
    const beganAt = this.now()
    if (beganAt >= this.#wholeDueAt) return { beganAt, withinSeconds: undefined }
    return { beganAt, withinSeconds: (beganAt - this.#coveredTo) / 1000 + marginSeconds }
  }

  /** @param isComplete whether nothing that is due was left */
  end({ beganAt, withinSeconds }: Pass, isComplete: boolean): void {
    if (!isComplete) return
    this.#coveredTo = beganAt
    const endedAt = this.now()
    const tookMs = endedAt - beganAt
    if (withinSeconds === undefined && tookMs > slowMs) this.#wholeDueAt = endedAt + tookMs * restFactor
  }
}
