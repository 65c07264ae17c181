/**
 * What the workers that live can take on, for jobs that may be divided among them. Asked when such a job begins, and
 * once a second at most: where there is none, it costs nothing.
 */
import type { Pool } from '../core/db.ts'
import type { DefinitionRecord } from '../core/definitions/discover.ts'
import type { Fleet } from '../core/job.ts'
import type { Log } from '../core/log.ts'
import { readFleet } from '../core/workers/fleet.ts'

const freshMs = 1000

export class FleetView {
  readonly #alone: Fleet
  #known: Promise<Fleet> | undefined
  #askedAt = Number.NEGATIVE_INFINITY

  /** @param options.slots of this worker: all that is known of the fleet where nobody asks, or no answer comes */
  constructor(
    private readonly sql: Pool,
    private readonly options: { slots: number; log: Log },
  ) {
    this.#alone = { slots: options.slots, freeSlots: 0 }
  }

  /** As a job of the definition is told. */
  async tell({ hasChildren }: DefinitionRecord): Promise<Fleet> {
    if (!hasChildren) return this.#alone
    if (this.#known === undefined || performance.now() >= this.#askedAt + freshMs) {
      this.#askedAt = performance.now()
      this.#known = this.#ask()
    }
    return await this.#known
  }

  async #ask(): Promise<Fleet> {
    try {
      return await readFleet(this.sql)
    } catch (error) {
      this.options.log.warn({ err: error }, 'fleet.unknown')
      return this.#alone
    }
  }
}
