/** Entry of the worker: configuration, database, definitions, coordinator, signals. */
import { fileURLToPath } from 'node:url'
import { configOrExit } from '../core/config-or-exit.ts'
import { openListener, openPool, prepareWhereDirect } from '../core/db.ts'
import { findFfmpeg } from '../core/ffmpeg-binaries.ts'
import { createLog } from '../core/log.ts'
import { endWhenSilent } from '../core/silence-watch.ts'
import { createStorage } from '../core/storage/client.ts'
import { openTracing } from '../core/trace/open.ts'
import { nameOfProcess } from '../core/workers/name.ts'
import { Coordinator } from './coordinator.ts'
import { DefinitionLoader } from './definition-loader.ts'
import { probeFfmpeg } from './ffmpeg-capabilities.ts'

const builtInJobs = fileURLToPath(new URL('../jobs', import.meta.url))

const config = configOrExit(process.env)
const workerId = nameOfProcess(config)
const log = createLog({ level: config.LOG_LEVEL, name: 'worker' }).child({ workerId })
const tools = findFfmpeg({
  ffmpegPath: config.FFMPEG_PATH,
  ffprobePath: config.FFPROBE_PATH,
  searchPath: process.env.PATH,
})
const { version, known } = await probeFfmpeg(tools)
const ffmpeg = { version, encoders: known.encoders }
const sql = openPool(config, `job-server worker ${workerId}`)
await prepareWhereDirect(sql, config, { steady: true })
const tracing = await openTracing(config, log, { program: 'worker', instance: workerId })
const coordinator = new Coordinator({
  sql,
  openListener: () => openListener(config, `job-server worker ${workerId}`),
  storage: createStorage(config),
  tools: { ...tools, known },
  ffmpeg,
  workerId,
  config,
  environment: process.env,
  tracing,
  silence: endWhenSilent(config, { leaseSeconds: config.LEASE_DURATION_SECONDS, log }),
  log,
})
const loader = new DefinitionLoader({
  sql,
  directories: config.JOBS_DIR === undefined ? [builtInJobs] : [builtInJobs, config.JOBS_DIR],
  environment: process.env,
  jobVariables: config.JOB_ENVIRONMENT,
  watch: config.WATCH_JOBS,
  log,
  onLoaded: (definitions) => coordinator.setDefinitions(definitions),
})

log.info({ ...tools, ...ffmpeg }, 'ffmpeg.found')
await loader.start()
await coordinator.start()
log.info({ slots: config.MAX_CONCURRENT_EXECUTIONS, queues: config.QUEUES }, 'worker.started')
// For process managers that wait for it, as pm2 does.
process.send?.('ready')

let signals = 0
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => onSignal(signal))

function onSignal(signal: string): void {
  signals++
  if (signals > 1) {
    log.warn({ signal }, 'worker.stopping_now')
    coordinator.interrupt()
    return
  }
  log.info({ signal, runningJobs: coordinator.runningJobs }, 'worker.draining')
  void shutDown()
}

async function shutDown(): Promise<void> {
  await loader.stop()
  await coordinator.stop()
  await tracing.stop()
  await sql.end({ timeout: 1 })
  log.info('worker.stopped')
  process.exit(0)
}
