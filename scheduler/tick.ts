/** One pass of the scheduler: fires what is due and, when its time has come, does the upkeep. */
import type { Config } from '../core/config.ts'
import type { Pool } from '../core/db.ts'
import type { Log } from '../core/log.ts'
import { fireDue } from '../core/schedules/fire-due.ts'
import type { Storage } from '../core/storage/client.ts'
import { removeExpiredKeys } from '../core/upkeep/idempotency.ts'
import { keepPartitions } from '../core/upkeep/partitions.ts'
import { expireUploads } from '../core/uploads/expire.ts'

const fireLimit = 1000
const keyLimit = 10_000

export interface TickDependencies {
  sql: Pool
  storage: Storage
  config: Pick<Config, 'HISTORY_RETENTION_DAYS'>
  log: Log
}

export async function tick({ sql, log }: TickDependencies): Promise<void> {
  const fired = await fireDue(sql, { limit: fireLimit })
  if (fired.enqueued + fired.failed > 0) log.info(fired, 'schedules.fired')
}

/** Each duty goes on when another fails. */
export async function upkeep({ sql, storage, config, log }: TickDependencies): Promise<void> {
  const duties = {
    partitions: () => keepPartitions(sql, { retentionDays: config.HISTORY_RETENTION_DAYS }),
    idempotencyKeys: () => removeExpiredKeys(sql, { limit: keyLimit }),
    uploads: () => expireUploads(sql, storage),
  }
  for (const [duty, run] of Object.entries(duties)) {
    try {
      log.debug({ duty, outcome: await run() }, 'upkeep.done')
    } catch (error) {
      log.error({ err: error, duty }, 'upkeep.failed')
    }
  }
}
