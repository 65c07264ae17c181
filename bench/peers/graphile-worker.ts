/** graphile-worker, in its process, with and without what https://worker.graphile.org/docs/performance advises. */
import { Logger, makeWorkerUtils, type Runner, run, type TaskList, type WorkerUtils } from 'graphile-worker'
import pg from 'pg'
import { byThousands } from '../by-thousands.ts'
import type { OpenPeer, PeerPayload } from './peer.ts'

const concurrentJobs = 24
const logger = new Logger(() => () => {})

const batching = { localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 }

export const openGraphileWorker = (url: string) => open(url, {})
export const openGraphileWorkerBatching = (url: string) => open(url, batching)

async function open(url: string, settings: Partial<typeof batching>): Promise<OpenPeer> {
  const preset = {
    worker: { connectionString: url, concurrentJobs, maxPoolSize: concurrentJobs + 1, logger, ...settings },
  }
  const utils: WorkerUtils = await makeWorkerUtils({ preset })
  await utils.migrate()
  const pool = new pg.Pool({ connectionString: url, max: 1 })
  let runner: Runner | undefined
  const stopped = Promise.withResolvers<void>()
  return {
    enqueue: (count, payload = {}) =>
      byThousands(count, (part) =>
        utils.addJobs(Array.from({ length: part }, () => ({ identifier: 'noop', payload }))),
      ),
    enqueueBlocked: async (count, lanes) => {
      for (const queueName of lanes) {
        // The lower number is the higher priority.
        const job = { identifier: 'hang', payload: {}, queueName, priority: -10 }
        await byThousands(count / lanes.length, (part) =>
          utils.addJobs(Array.from({ length: part }, () => job)),
        )
      }
    },
    work: async (onJob) => {
      const taskList: TaskList = {
        noop: async (payload) => onJob(payload as PeerPayload),
        hang: () => stopped.promise,
      }
      runner = await run({ preset, taskList })
    },
    left: async (limit) => {
      const { rows } = await pool.query<{ left: number }>(
        `select count(*)::int as left
        from (select from graphile_worker.jobs where task_identifier = 'noop' limit $1 + 1) as counted`,
        [limit],
      )
      return rows[0]?.left ?? 0
    },
    close: async () => {
      stopped.resolve()
      await runner?.stop()
      await utils.release()
      await pool.end()
    },
  }
}
