/** Single jobs that come at once are written at once, unless one of them might keep the others waiting. */
import { isFaultOfData, type Pool } from '../db.ts'
import type { EnqueueRow } from './enqueue-row.ts'
import { gather } from './gather.ts'
import { insertJobs, type Written } from './insert-jobs.ts'

const mostKnown = 10_000
/** Much shorter than it takes for a lane that has had a job to count as unused (`lanes.ts`). */
const knownForMs = 3_600_000

type Insert = (row: EnqueueRow) => Promise<Written>

/**
 * The first jobs of a lane go by themselves: a transaction that is still open may have written its row, and who writes it
 * as well waits for that one. Once a lane is known to be there nothing is waited for any more, for as long as it
 * can't have come to be unused.
 * @returns for jobs without a key, whose statement waits for nothing else that others hold
 */
export function insertTogether(sql: Pool): Insert {
  const knownUntil = new Map<string, number>()
  const firstOf = new Map<string, { insert: Insert; calls: number }>()
  const gathered = () => gather((rows: EnqueueRow[]) => insertJobs(sql, rows))
  const insert = gathered()

  async function insertFirst(lane: string, row: EnqueueRow): Promise<Written> {
    const first = firstOf.get(lane) ?? { insert: gathered(), calls: 0 }
    firstOf.set(lane, first)
    first.calls++
    try {
      const written = await first.insert(row)
      // Names of queues are anybody's: to learn them anew costs a statement each.
      if (knownUntil.size >= mostKnown) knownUntil.clear()
      knownUntil.set(lane, performance.now() + knownForMs)
      return written
    } finally {
      first.calls--
      if (first.calls === 0) firstOf.delete(lane)
    }
  }

  return async (row) => {
    const lane = JSON.stringify([row.queue, row.definition_key, row.definition_version])
    try {
      const isKnown = performance.now() < (knownUntil.get(lane) ?? 0)
      return await (isKnown ? insert(row) : insertFirst(lane, row))
    } catch (error) {
      if (!isFaultOfData(error)) throw error
      // One of them could not be written, so none was. Each on its own gets its own error, or none.
      return await insertJobs(sql, [row])
    }
  }
}
