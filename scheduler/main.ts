/** Entry of the scheduler: long-lived by default, one pass with the argument `tick`. */
import { hostname } from 'node:os'
import { configOrExit } from '../core/config-or-exit.ts'
import { openPool } from '../core/db.ts'
import { createLog } from '../core/log.ts'
import { createStorage } from '../core/storage/client.ts'
import { Scheduler } from './leader.ts'

const config = configOrExit(process.env)
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
  // For process managers that wait for it, as pm2 does.
  process.send?.('ready')
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void shutDown())
}

async function shutDown(): Promise<void> {
  await scheduler.stop()
  await sql.end({ timeout: 1 })
  process.exit(0)
}
