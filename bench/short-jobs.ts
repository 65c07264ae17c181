/** Jobs that do nothing, in processes that run many, through a whole worker: the rate that peers are held against. */
import { enqueueMany } from '../core/queue/enqueue.ts'
import { byThousands } from './by-thousands.ts'
import type { BenchDatabase } from './database.ts'
import short from './jobs/short.ts'
import { warmUpOf } from './warm-up.ts'

export const slots = 4
export const shortJobsLabel = `Job Server, ${slots} slots, processes that run 100,000 jobs`

const pollMs = 10

/**
 * Jobs a second, from when the warm-up is worked off until all are in history.
 * @param database without other jobs that could run, but for those of a priority below 0
 * @param options.queues the jobs stand in them by turns, and the worker serves them alone; default: the definition's
 */
export async function shortJobRate(
  database: BenchDatabase,
  options: { jobs: number; queues?: string[] },
): Promise<number> {
  const { jobs, queues } = options
  await enqueueShort(database, warmUpOf(jobs) + jobs, queues ?? [])
  const worker = await database.startWorker({
    MAX_CONCURRENT_EXECUTIONS: String(slots),
    ...(queues === undefined ? {} : { QUEUES: queues.join(',') }),
  })
  const counted = await until(database, jobs)
  const startedAt = performance.now()
  await until(database, 0)
  const rate = (counted * 1000) / (performance.now() - startedAt)
  await worker.stop()
  return rate
}

async function enqueueShort({ sql }: BenchDatabase, count: number, queues: string[]): Promise<void> {
  await byThousands(count, (part) =>
    enqueueMany(
      sql,
      Array.from({ length: part }, (_, place) => ({
        definitionKey: short.key,
        queue: queues[place % queues.length],
      })),
    ),
  )
}

/**
 * Counts no further than it must: looking at all that is left would cost the database as much as the jobs do.
 * @returns how many are left of those enqueued here, once they are no more than that
 */
async function until({ sql }: BenchDatabase, limit: number): Promise<number> {
  for (;;) {
    // jobs_ready_idx and jobs_running_idx: those of lower priority, however many, are not read.
    const [row] = await sql<{ left: number }[]>`
      select count(*)::int as left
      from (
        (
          select from job_server.lanes
          join job_server.jobs using (queue, definition_key, definition_version)
          where definition_key = ${short.key} and state = 'ready' and priority >= 0
          limit ${limit + 1}
        )
        union all
        (
          select from job_server.jobs
          where definition_key = ${short.key} and definition_version = 1 and state = 'running' and priority >= 0
          limit ${limit + 1}
        )
      ) as counted`
    const left = row?.left ?? 0
    if (left <= limit) return left
    await Bun.sleep(pollMs)
  }
}
