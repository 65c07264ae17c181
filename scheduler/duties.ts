/** The upkeep of the product: what is done, and how often. */
import type { Config } from '../core/config.ts'
import type { Pool } from '../core/db.ts'
import type { Json } from '../core/json.ts'
import type { Log } from '../core/log.ts'
import { foldTallies } from '../core/metrics/fold.ts'
import { keepLiveCount } from '../core/metrics/live.ts'
import { measure } from '../core/metrics/measure.ts'
import { admitWaiting } from '../core/queue/admit.ts'
import { rescue } from '../core/queue/finish.ts'
import { giveUpHooks } from '../core/queue/hooks.ts'
import { sweep } from '../core/queue/release.ts'
import { stage } from '../core/queue/stage.ts'
import type { Storage } from '../core/storage/client.ts'
import { removeStrayParts } from '../core/storage/output-parts.ts'
import type { Duty } from '../core/upkeep/duties.ts'
import { removeOldFires } from '../core/upkeep/fires.ts'
import { removeExpiredKeys } from '../core/upkeep/idempotency.ts'
import { removeIdleSources } from '../core/upkeep/idle-sources.ts'
import { remakeLanes, removeUnusedLanes } from '../core/upkeep/lanes.ts'
import { removeOldDeadLetters } from '../core/upkeep/old-dead-letters.ts'
import { removeOldOutputs } from '../core/upkeep/old-outputs.ts'
import { removeOrphans } from '../core/upkeep/orphans.ts'
import { keepPartitions, type Readings } from '../core/upkeep/partitions.ts'
import { removeOldStarts } from '../core/upkeep/rate-starts.ts'
import { keepStatistics } from '../core/upkeep/statistics.ts'
import { removeStrayOutputs } from '../core/upkeep/stray-outputs.ts'
import { removeOldDeliveries } from '../core/upkeep/webhook-deliveries.ts'
import { expireUploads } from '../core/uploads/expire.ts'
import type { DispatchOptions } from '../core/webhooks/dispatch.ts'
import { forgetSilent } from '../core/workers/beat.ts'
import { embeddedMetrics } from './embedded-metrics.ts'

const minute = 60
const hour = 3600
const rescueLimit = 1000
/** Keys and letters are rows alone, and come by the thousand a second. */
const rowBatch = { size: 10_000, most: 100 }
const tallyLimit = 100_000
/** Each takes requests to the storage. So many batches in one run at most: other duties wait meanwhile. */
const objectBatch = { size: 100, most: 5 }
/** Links of parts live for an hour, and a transfer that began in the last second of one may end long after it. */
const strayPartSeconds = 2 * hour
const silentWorkerSeconds = 3600

export interface DutyDependencies {
  sql: Pool
  storage: Storage
  config: Pick<
    Config,
    | 'HISTORY_RETENTION_DAYS'
    | 'DEAD_LETTER_RETENTION_DAYS'
    | 'SOURCE_RETENTION_DAYS'
    | 'OUTPUT_RETENTION'
    | 'METRICS_NAMESPACE'
  >
  log: Log
  /** For who makes duties for one call after another. */
  readings?: Readings
}

export function dutiesOf({ sql, storage, config, log, readings = new Map() }: DutyDependencies): Duty[] {
  const retentionDays = config.HISTORY_RETENTION_DAYS
  const namespace = config.METRICS_NAMESPACE
  return [
    ...(namespace === undefined ? [] : [measuring(sql, namespace, log)]),
    watch(
      'tallies',
      () => foldTallies(sql, { limit: tallyLimit }),
      ({ ends, claims }) => ends + claims === 0,
    ),
    // Nothing to count, or the last count is to rest.
    watch(
      'live-count',
      async () => ({ jobs: await keepLiveCount(sql) }),
      ({ jobs }) => jobs === null,
    ),
    watch(
      'statistics',
      async () => ({ analysed: await keepStatistics(sql) }),
      ({ analysed }) => analysed.length === 0,
    ),
    // Workers rescue from one another; this is for when none is left.
    duty('rescue', minute, async () => ({ rescued: (await rescue(sql, { limit: rescueLimit })).length })),
    duty('waiting-jobs', minute, async () => {
      await sweep(sql)
      return null
    }),
    // Workers do so, and more often; this is for when none is there, and is to come for what waits.
    duty('staging', minute, (signal) => stageAll(sql, signal)),
    long(duty('uploads', minute, (signal) => expireUploads(sql, storage, { signal }))),
    duty('hooks', 5 * minute, async () => ({ givenUp: await giveUpHooks(sql) })),
    duty('rate-starts', 5 * minute, async () => ({ removed: await removeOldStarts(sql) })),
    long(
      duty('stray-outputs', 5 * minute, async (signal) => ({
        attempts: await whileFull(
          objectBatch,
          (limit) => removeStrayOutputs(sql, storage, { limit, signal }),
          signal,
        ),
        parts: await whileFull(
          objectBatch,
          (limit) => removeStrayParts(sql, storage, { linkSeconds: strayPartSeconds, limit, signal }),
          signal,
        ),
      })),
    ),
    ...retentionDuties({ sql, storage, config, log }),
    duty('idempotency-keys', 5 * minute, async (signal) => ({
      removed: await whileFull(rowBatch, (limit) => removeExpiredKeys(sql, { limit }), signal),
    })),
    duty('unused-lanes', 5 * minute, async (signal) => {
      const removed = await whileFull(rowBatch, (limit) => removeUnusedLanes(sql, { limit }), signal)
      const remade = await remakeLanes(sql)
      if (remade > 0) log.info({ lanes: remade }, 'lanes.remade')
      return { removed, remade }
    }),
    duty('workers', 5 * minute, async () => ({
      forgotten: await forgetSilent(sql, { afterSeconds: silentWorkerSeconds }),
    })),
    long(
      duty('partitions', hour, async (signal) => {
        const done = await keepPartitions(sql, { retentionDays, readings, signal })
        if (done.kept.length > 0) log.warn({ partitions: done.kept }, 'partitions.kept')
        if (done.unread.length > 0) log.warn({ weeks: done.unread }, 'partitions.unread')
        return { ...done }
      }),
    ),
    duty('orphans', hour, () => removeOrphans(sql, { retentionDays })),
    duty('schedule-fires', hour, async () => ({ removed: await removeOldFires(sql, { retentionDays }) })),
    duty('webhook-deliveries', hour, async () => ({
      removed: await removeOldDeliveries(sql, { retentionDays }),
    })),
  ]
}

/** What is to be kept for ever has no duty. */
function retentionDuties({ sql, storage, config, log }: DutyDependencies): Duty[] {
  const historyDays = config.HISTORY_RETENTION_DAYS
  const letterDays = config.DEAD_LETTER_RETENTION_DAYS
  const retentionDays = config.SOURCE_RETENTION_DAYS
  const sources = duty('idle-sources', 5 * minute, async (signal) => {
    let removed = 0
    let inUse = 0
    const remove = async (limit: number) => {
      const looked = await removeIdleSources(sql, storage, { retentionDays, historyDays, limit, signal })
      removed += looked.removed
      inUse += looked.inUse
      return looked.removed + looked.inUse
    }
    await whileFull(objectBatch, remove, signal)
    if (removed > 0) log.info({ removed, retentionDays }, 'sources.removed')
    return { removed, inUse }
  })
  const outputs = duty('old-outputs', 5 * minute, async (signal) => {
    const jobs = await whileFull(
      objectBatch,
      (limit) => removeOldOutputs(sql, storage, { retentionDays: historyDays, limit, signal }),
      signal,
    )
    if (jobs > 0) log.info({ jobs, retentionDays: historyDays }, 'outputs.removed')
    return { jobs }
  })
  const letters = duty('dead-letters', 5 * minute, async (signal) => {
    const removed = await whileFull(
      rowBatch,
      (limit) => removeOldDeadLetters(sql, { retentionDays: letterDays, limit }),
      signal,
    )
    if (removed > 0) log.info({ removed, retentionDays: letterDays }, 'dead_letters.removed')
    return { removed }
  })
  return [
    ...(letterDays === 0 ? [] : [letters]),
    ...(retentionDays === 0 ? [] : [long(sources)]),
    ...(config.OUTPUT_RETENTION === 'history' ? [long(outputs)] : []),
  ]
}

export function dispatchOptions(
  config: Pick<Config, 'WEBHOOK_RETRY_SECONDS' | 'WEBHOOK_DISABLE_AFTER_SECONDS'>,
): DispatchOptions {
  return {
    retrySeconds: config.WEBHOOK_RETRY_SECONDS,
    disableAfterSeconds: config.WEBHOOK_DISABLE_AFTER_SECONDS,
  }
}

/** What is due, and what waits although its key has room, becomes ready. */
async function stageAll(sql: Pool, signal: AbortSignal | undefined) {
  const staged = await whileFull(rowBatch, async (limit) => (await stage(sql, { limit })).staged, signal)
  for (let after = await admitWaiting(sql, null); after !== null && !signal?.aborted; )
    after = await admitWaiting(sql, after)
  return { staged }
}

/** What fleets are scaled by, and alarms watch. */
function measuring(sql: Pool, namespace: string, log: Log): Duty {
  return { ...duty('measures', minute, () => logMeasures(sql, namespace, log)), comesFirst: true }
}

async function logMeasures(sql: Pool, namespace: string, log: Log) {
  const measures = await measure(sql)
  // Whatever LOG_LEVEL leaves out: fleets are scaled by this line.
  log
    .child({}, { level: 'info' })
    .info(embeddedMetrics(measures, { namespace, at: Date.now() }), 'fleet.measured')
  return { ...measures }
}

/** One batch after another, until one is not full, or others wait. @returns how many all of them did */
async function whileFull(
  batch: { size: number; most: number },
  run: (limit: number) => Promise<number>,
  signal: AbortSignal | undefined,
): Promise<number> {
  let sum = 0
  for (let batches = 0; batches < batch.most && !signal?.aborted; batches++) {
    const done = await run(batch.size)
    sum += done
    if (done < batch.size) break
  }
  return sum
}

/**
 * Looks less often while it finds nothing to do. All that do rest together: they are then claimed by one statement, and
 * recorded by one.
 */
function watch<Outcome extends Json>(
  name: string,
  run: () => Promise<Outcome>,
  foundNothing: (outcome: Outcome) => boolean,
): Duty<Outcome> {
  return { ...duty(name, 10, run), rest: { seconds: 30, after: foundNothing } }
}

function duty<Outcome extends Json>(
  name: string,
  intervalSeconds: number,
  run: (signal?: AbortSignal) => Promise<Outcome>,
): Duty<Outcome> {
  return { name, intervalSeconds, run }
}

function long(duty: Duty): Duty {
  return { ...duty, mayTakeLong: true }
}
