/** Entry of the scheduler: long-lived by default, one pass with the argument `tick`. */
import { hostname } from 'node:os'
import { ConfigError, EX_CONFIG, parseConfig } from '../core/config.ts'
import { openPool } from '../core/db.ts'
import { createLog } from '../core/log.ts'
import { createStorage } from '../core/storage/client.ts'
import { Scheduler } from './leader.ts'

const config = readConfig()
const holder = config.WORKER_ID ?? `${hostname()}:${process.pid}`
const log = createLog({ level: config.LOG_LEVEL, name: 'scheduler' })
const sql = openPool(config, `job-server scheduler ${holder}`)
const scheduler = new Scheduler(holder, { sql, storage: createStorage(config), config, log })

if (process.argv[2] === 'tick') {
  await scheduler.runOnce()
  await shutDown()
} else {
  scheduler.start()
  log.info('scheduler.started')
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void shutDown())
}

async function shutDown(): Promise<void> {
  await scheduler.stop()
  await sql.end({ timeout: 1 })
  process.exit(0)
}

function readConfig() {
  try {
    return parseConfig(process.env)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    console.error(error.message)
    process.exit(EX_CONFIG)
  }
}
