/**
 * One pass of the scheduler as a function handler: for an EventBridge rule that calls an AWS Lambda function each
 * minute, or anything alike. What falls due in between fires with the next call. Calls that overlap are harmless.
 */
import { type Config, parseConfig } from '../core/config.ts'
import { openPool } from '../core/db.ts'
import { createLog, type Log } from '../core/log.ts'
import { createStorage } from '../core/storage/client.ts'
import { openTracing, type Tracing } from '../core/trace/open.ts'
import type { Readings } from '../core/upkeep/partitions.ts'
import { dispatchOptions, dutiesOf } from './duties.ts'
import { type Ticked, tick } from './tick.ts'

const flushMs = 2000
/** Of the time of a call, for what was begun to end, and for what comes after it. */
const reserveSeconds = 15
/** Where it is not known how long a call may take: one comes each minute. */
const defaultSeconds = 40

let prepared: Promise<{ config: Config; log: Log; tracing: Tracing }> | undefined

/** Kept from call to call, where the same process takes them. */
const readings: Readings = new Map()

/** What AWS Lambda tells of a call; others may tell nothing. */
interface Call {
  getRemainingTimeInMillis?(): number
}

/**
 * @returns what was done, in numbers
 * @throws ConfigError, or when the database can't be reached: so the call counts as failed
 */
export async function handler(_event?: unknown, call?: Call): Promise<Ticked> {
  prepared ??= prepare()
  const { config, log, tracing } = await prepared
  // One connection, and none between calls: a function is frozen then, and its connections die unseen.
  const sql = openPool({ ...config, DATABASE_POOL_SIZE: 1 }, 'job-server scheduler function')
  try {
    const duties = dutiesOf({ sql, storage: createStorage(config), config, log, readings })
    const webhooks = dispatchOptions(config)
    const seconds = secondsFor(call)
    const ticked = await tick({ sql, duties, webhooks, tracer: tracing.tracer, log }, { seconds })
    log.info(ticked, 'tick.done')
    return ticked
  } finally {
    await sql.end({ timeout: 1 })
    // Afterwards nothing of it goes on.
    await tracing.flush(flushMs)
  }
}

function secondsFor(call: Call | undefined): number {
  const leftMs = call?.getRemainingTimeInMillis?.()
  if (leftMs === undefined) return defaultSeconds
  return Math.min(defaultSeconds, Math.max(1, leftMs / 1000 - reserveSeconds))
}

async function prepare(): Promise<{ config: Config; log: Log; tracing: Tracing }> {
  const config = parseConfig(process.env)
  const log = createLog({ level: config.LOG_LEVEL, name: 'scheduler' })
  const instance = process.env.AWS_LAMBDA_LOG_STREAM_NAME ?? String(process.pid)
  return { config, log, tracing: await openTracing(config, log, { program: 'scheduler', instance }) }
}
