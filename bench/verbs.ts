/** The queue's verbs, many times over: what benches do without a worker. */
import { claim } from '../core/queue/claim.ts'
import { enqueueMany } from '../core/queue/enqueue.ts'
import { finish } from '../core/queue/finish.ts'
import type { BenchDatabase } from './database.ts'
import mark from './jobs/mark.ts'

export const batchSize = 500

/** Of `bench.mark`, so many at a time. */
export async function enqueueBatches({ sql }: BenchDatabase, count: number): Promise<void> {
  for (let enqueued = 0; enqueued < count; enqueued += batchSize) {
    const inputs = Array.from({ length: Math.min(batchSize, count - enqueued) }, () => ({
      definitionKey: mark.key,
    }))
    await enqueueMany(sql, inputs)
  }
}

/**
 * Claims and finishes, one batch after the other, without a worker.
 * @throws Error when there are fewer jobs, or one can't be finished
 */
export async function drain(
  { sql, definitions }: BenchDatabase,
  count: number,
  limit: number,
): Promise<void> {
  // As a worker claims more of what it was given before.
  const mostlyFrom = {
    lanes: [{ queue: 'default', definitionKey: mark.key, definitionVersion: mark.version ?? 1 }],
    priority: 0,
  }
  const request = { workerId: 'bench', definitions, queues: [], limit, leaseSeconds: 60, mostlyFrom }
  for (let done = 0; done < count; ) {
    const jobs = await claim(sql, request, { limited: false })
    if (jobs.length === 0) throw new Error(`there were ${done} jobs to claim, not ${count}`)
    const { finished } = await finish(
      sql,
      jobs.map(({ lease }) => ({ lease, end: { kind: 'succeeded', result: null } })),
    )
    const succeeded = finished.filter(({ status }) => status === 'succeeded')
    if (succeeded.length !== jobs.length) {
      throw new Error(`of ${jobs.length} jobs ${succeeded.length} could be finished`)
    }
    done += jobs.length
  }
}
