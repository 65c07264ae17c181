/** pg-boss in its process: many jobs a fetch, the next at once while fetches come back full, woken by NOTIFY. */
import { PgBoss } from 'pg-boss'
import { byThousands } from '../by-thousands.ts'
import type { OpenPeer, PeerPayload } from './peer.ts'

const queue = 'bench'
const batchSize = 500
const localConcurrency = 2

export async function openPgBoss(url: string): Promise<OpenPeer> {
  const boss = new PgBoss({ connectionString: url, useListenNotify: true })
  boss.on('error', (error) => console.error(error))
  await boss.start()
  await boss.createQueue(queue, { notify: true })
  return {
    enqueue: (count, payload = {}) =>
      byThousands(count, (part) =>
        boss.insert(
          queue,
          Array.from({ length: part }, () => ({ data: payload })),
        ),
      ),
    work: async (onJob) => {
      const options = { batchSize, localConcurrency, burstWhenBatchFull: true, pollingIntervalSeconds: 0.5 }
      await boss.work<PeerPayload>(queue, options, async (jobs) => {
        for (const { data } of jobs) onJob(data)
      })
    },
    left: async (limit) => {
      const { rows } = await boss.getDb().executeSql(
        `select count(*)::int as left
        from (select from pgboss.job where name = $1 and state < 'completed' limit $2 + 1) as counted`,
        [queue, limit],
      )
      return Number(rows[0]?.left ?? 0)
    },
    close: () => boss.stop({ graceful: true, timeout: 5000 }),
  }
}
