/** One pass of the scheduler: fires what is due and, when its time has come, does the upkeep. */
import type { Config } from '../core/config.ts'
import type { Pool } from '../core/db.ts'
import type { Log } from '../core/log.ts'
import { giveUpHooks } from '../core/queue/hooks.ts'
import { sweep } from '../core/queue/release.ts'
import { fireDue } from '../core/schedules/fire-due.ts'
import type { Storage } from '../core/storage/client.ts'
import { removeExpiredKeys } from '../core/upkeep/idempotency.ts'
import { keepPartitions } from '../core/upkeep/partitions.ts'
import { removeOldStarts } from '../core/upkeep/rate-starts.ts'
import { removeStrayOutputs } from '../core/upkeep/stray-outputs.ts'
import { expireUploads } from '../core/uploads/expire.ts'
import { forgetSilent } from '../core/workers/beat.ts'

const fireLimit = 1000
const keyLimit = 10_000
const strayLimit = 100
const silentWorkerSeconds = 3600

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
    rateStarts: () => removeOldStarts(sql),
    uploads: () => expireUploads(sql, storage),
    strayOutputs: () => removeStrayOutputs(sql, storage, { limit: strayLimit }),
    waitingJobs: () => sweep(sql),
    hooks: () => giveUpHooks(sql),
    workers: () => forgetSilent(sql, { afterSeconds: silentWorkerSeconds }),
  }
  for (const [duty, run] of Object.entries(duties)) {
    try {
      log.debug({ duty, outcome: await run() }, 'upkeep.done')
    } catch (error) {
      log.error({ err: error, duty }, 'upkeep.failed')
    }
  }
}
