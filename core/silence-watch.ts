/**
 * Notices a database from which nothing comes any more, no answer and no error: a host that vanished without a word is
 * waited for by the system for a quarter of an hour, and so by every loop of ours that has asked it something.
 */
import type { Log } from './log.ts'

/** Time is counted in so many ticks, since who was paused gets but one for all of it, and then reads what came meanwhile. */
const ticks = 20

export interface SilenceWatchOptions {
  /** Far beyond what any statement under watch takes. */
  seconds: number
  onSilent(): void
}

export class SilenceWatch {
  readonly #asked = new Set<{ ticks: number }>()
  #timer: NodeJS.Timeout | undefined

  constructor(private readonly options: SilenceWatchOptions) {}

  start(): void {
    this.#timer ??= setInterval(() => this.tick(), (this.options.seconds * 1000) / ticks)
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  /** Gives the answer on, and watches how long it takes to come. */
  async over<Answer>(answer: Promise<Answer>): Promise<Answer> {
    const asked = { ticks: 0 }
    this.#asked.add(asked)
    try {
      return await answer
    } finally {
      this.#asked.delete(asked)
    }
  }

  tick(): void {
    for (const asked of this.#asked) asked.ticks++
    // The first may have come right after the question.
    if ([...this.#asked].some((asked) => asked.ticks > ticks)) this.options.onSilent()
  }
}

/**
 * Of a program whose leases last so long. It ends with 1 when the database has gone silent, so that whatever keeps it running
 * starts it again, with new connections; what ran under its leases was stopped long before.
 */
export function endWhenSilent(leaseSeconds: number, log: Log): SilenceWatch {
  const seconds = Math.max(3 * leaseSeconds, 60)
  const watch = new SilenceWatch({
    seconds,
    onSilent: () => {
      log.error({ seconds }, 'database.silent')
      process.exit(1)
    },
  })
  watch.start()
  return watch
}
