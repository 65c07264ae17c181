/**
 * Notices a database from which nothing comes any more, no answer and no error: a host that vanished without a word is
 * waited for by the system for a quarter of an hour, and so by every loop of ours that has asked it something.
 */
import { askAnew } from './db.ts'
import type { Log } from './log.ts'

type DatabaseConfig = Parameters<typeof askAnew>[0]

const patienceMs = 10_000

/** Time is counted in so many ticks, since who was paused gets but one for all of it, and then reads what came meanwhile. */
const ticks = 20

export interface SilenceWatchOptions {
  /** Beyond what any question under watch takes. */
  seconds: number
  /** At each tick, as long as it lasts. */
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
 * Of a program whose leases last so long. It ends with 1 when its questions are lost, so that whatever keeps it running
 * starts it again, with new connections; what ran under its leases was stopped long before.
 */
export function endWhenSilent(
  config: DatabaseConfig,
  { leaseSeconds, log }: { leaseSeconds: number; log: Log },
): SilenceWatch {
  const seconds = Math.max(3 * leaseSeconds, 60)
  let isAsking = false
  const onSilent = async () => {
    if (isAsking) return
    isAsking = true
    if (await isForgotten(config, { seconds })) {
      log.error({ seconds }, 'database.silent')
      process.exit(1)
    }
    isAsking = false
  }
  const watch = new SilenceWatch({ seconds, onSilent: () => void onSilent() })
  watch.start()
  return watch
}

/**
 * Asks by a new connection whether the database is at any question for so long: ours may wait for a lock there.
 * @returns false also where it can't be asked: to be started again would be of no use
 */
export async function isForgotten(
  config: DatabaseConfig,
  { seconds }: { seconds: number },
): Promise<boolean> {
  const rows = await askAnew(config, 'job-server silence', patienceMs, async (sql) => {
    // Half of it: what came before the statement that it is at may have taken the rest.
    return await sql<{ isBusy: boolean }[]>`
      select exists (
        select from pg_stat_activity
        where datname = current_database() and backend_type = 'client backend' and state = 'active'
          and query_start < now() - make_interval(secs => ${seconds / 2})
      ) as is_busy`
  })
  return rows?.[0]?.isBusy === false
}
