/** Entry of the scheduler: long-lived by default, one pass with the argument `tick`. */
import { configOrExit } from '../core/config-or-exit.ts'
import { openPool } from '../core/db.ts'
import { createLog } from '../core/log.ts'
import { limitFamilies, usageFamilies } from '../core/metrics/process.ts'
import { endWhenSilent } from '../core/silence-watch.ts'
import { createStorage } from '../core/storage/client.ts'
import { openTracing } from '../core/trace/open.ts'
import { nameOfProcess } from '../core/workers/name.ts'
import { dispatchOptions, dutiesOf } from './duties.ts'
import { Scheduler } from './leader.ts'
import { tick } from './tick.ts'

/** A call comes each minute, and has to be over by then. */
const tickSeconds = 40

const config = configOrExit(process.env)
const id = nameOfProcess(config)
const log = createLog({ level: config.LOG_LEVEL, name: 'scheduler' }).child({ schedulerId: id })
const sql = openPool(config, `job-server scheduler ${id}`)
const tracing = await openTracing(config, log, { program: 'scheduler', instance: id })
const { tracer } = tracing
const duties = dutiesOf({ sql, storage: createStorage(config), config, log })
const webhooks = dispatchOptions(config)

if (process.argv[2] === 'tick') await passOnce()
else stayOn()

async function passOnce(): Promise<void> {
  try {
    log.info(await tick({ sql, duties, webhooks, tracer, log }, { seconds: tickSeconds }), 'tick.done')
  } catch (error) {
    log.error({ err: error }, 'tick.failed')
    process.exitCode = 1
  }
  await tracing.stop()
  await sql.end({ timeout: 1 })
  process.exit()
}

function stayOn(): void {
  const scheduler = new Scheduler({
    id,
    leaseSeconds: config.SCHEDULER_LEASE_SECONDS,
    info: { pid: process.pid, bun: Bun.version },
    ownMetrics: () => [
      ...limitFamilies('job_server_scheduler', {
        poolSize: config.DATABASE_POOL_SIZE,
        spansDropped: tracing.dropped(),
      }),
      ...usageFamilies('job_server_scheduler'),
    ],
    sql,
    duties,
    webhooks,
    tracer,
    silence: endWhenSilent(config, { leaseSeconds: config.SCHEDULER_LEASE_SECONDS, log }),
    log,
  })
  scheduler.start()
  log.info('scheduler.started')
  // For process managers that wait for it, as pm2 does.
  process.send?.('ready')
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, async () => {
      await scheduler.stop()
      await tracing.stop()
      await sql.end({ timeout: 1 })
      log.info('scheduler.stopped')
      process.exit(0)
    })
  }
}
