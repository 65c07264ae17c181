/**
 * How many jobs of a definition one turn takes: as many as were lately done in a twentieth of a second. So the
 * fewest microseconds go into claims where jobs take less than they do, and no job waits noticeably behind another.
 */
import type { DefinitionRecord } from '../core/definitions/discover.ts'
import { definitionName } from '../core/definitions/name.ts'
import { childrenOf } from './process-table.ts'

const turnMs = 50
const maxJobs = 200
/** What the newest turn counts for in the average. */
const weight = 0.3

export class Pace {
  readonly #jobMs = new Map<string, number>()
  /** Elsewhere the coordinator has to look for what a job left running, between any two. */
  readonly #isPossible = childrenOf(process.pid) !== null

  /** Limits of a definition count what is claimed: jobs that only wait behind others would take the room of those that could run. */
  jobsPerTurn(definition: DefinitionRecord): number {
    const { runsPerProcess, concurrencyLimit, rateLimit } = definition
    const jobMs = this.#jobMs.get(definitionName(definition))
    if (!this.#isPossible || jobMs === undefined || concurrencyLimit !== null || rateLimit !== null) return 1
    return Math.max(1, Math.min(Math.floor(turnMs / jobMs), maxJobs, runsPerProcess))
  }

  note(definition: DefinitionRecord, jobMs: number): void {
    const name = definitionName(definition)
    const before = this.#jobMs.get(name) ?? jobMs
    this.#jobMs.set(name, Math.max(before + weight * (jobMs - before), Number.MIN_VALUE))
  }
}
