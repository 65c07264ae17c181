/**
 * Waits for jobs to finish. All who wait in one process share one look at the database: a statement by primary key
 * every tenth of a second, and none while nobody waits.
 */
import type { Sql } from '../db.ts'

const lookEveryMs = 100

export interface FinishWatch {
  /**
   * Resolves when the job has finished, the time is up, the signal comes or the watch stops; which it was the job itself
   * tells.
   */
  wait(jobId: string, options: { timeoutMs: number; signal: AbortSignal }): Promise<void>
  /** Ends all waits, and at once those that are still to come. A look that is under way is the last. */
  stop(): void
}

export function createFinishWatch(sql: Sql): FinishWatch {
  const waiting = new Map<string, Set<() => void>>()
  let looking = false
  let stopped = false

  async function look(): Promise<void> {
    while (waiting.size > 0) {
      try {
        // jobs_pk: who is not live any more has finished, or never was.
        const ids = [...waiting.keys()]
        const live = await sql<
          { id: string }[]
        >`select id from job_server.jobs where id = any(${ids}::uuid[])`
        const liveIds = new Set(live.map(({ id }) => id))
        for (const id of ids) if (!liveIds.has(id)) for (const done of waiting.get(id) ?? []) done()
      } catch {
        // Who waits reads the job when its time is up, and is told then what is wrong with the database.
      }
      await new Promise((resolve) => setTimeout(resolve, lookEveryMs))
    }
    looking = false
  }

  return {
    async wait(jobId, { timeoutMs, signal }) {
      if (signal.aborted || stopped) return
      const others = waiting.get(jobId) ?? new Set()
      await new Promise<void>((done) => {
        const end = () => {
          clearTimeout(timer)
          signal.removeEventListener('abort', end)
          others.delete(end)
          if (others.size === 0) waiting.delete(jobId)
          done()
        }
        const timer = setTimeout(end, timeoutMs)
        signal.addEventListener('abort', end)
        waiting.set(jobId, others.add(end))
        if (looking) return
        looking = true
        void look()
      })
    },

    stop() {
      stopped = true
      for (const ends of waiting.values()) for (const end of ends) end()
    },
  }
}
