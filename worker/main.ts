/** Entry of the worker: configuration, database, definitions, coordinator, signals. */
import { watch } from 'node:fs'
import { hostname } from 'node:os'
import { fileURLToPath } from 'node:url'
import { configOrExit } from '../core/config-or-exit.ts'
import { openListener, openPool } from '../core/db.ts'
import { registerDefinitions } from '../core/definitions/register.ts'
import { findFfmpeg } from '../core/ffmpeg-binaries.ts'
import { createLog } from '../core/log.ts'
import { createStorage } from '../core/storage/client.ts'
import { Coordinator } from './coordinator.ts'
import { discoverInProcess } from './discovery.ts'
import { probeFfmpeg } from './ffmpeg-capabilities.ts'

const builtInJobs = fileURLToPath(new URL('../jobs', import.meta.url))
const watchSettleMs = 100

const config = configOrExit(process.env)
const workerId = config.WORKER_ID ?? `${hostname()}:${process.pid}`
const log = createLog({ level: config.LOG_LEVEL, name: 'worker' }).child({ workerId })
const tools = findFfmpeg({
  ffmpegPath: config.FFMPEG_PATH,
  ffprobePath: config.FFPROBE_PATH,
  searchPath: process.env.PATH,
})
const sql = openPool(config, `job-server worker ${workerId}`)
const coordinator = new Coordinator({
  sql,
  openListener: () => openListener(config, `job-server worker ${workerId}`),
  storage: createStorage(config),
  tools,
  workerId,
  config,
  environment: process.env,
  log,
})
const directories = config.JOBS_DIR === undefined ? [builtInJobs] : [builtInJobs, config.JOBS_DIR]

log.info({ ...tools, ...(await probeFfmpeg(tools)) }, 'ffmpeg.found')
await loadDefinitions()
await coordinator.start()
const watchers = config.WATCH_JOBS ? directories.map((directory) => watchJobs(directory)) : []
log.info({ slots: config.MAX_CONCURRENT_EXECUTIONS, queues: config.QUEUES }, 'worker.started')
// For process managers that wait for it, as pm2 does.
process.send?.('ready')

let signals = 0
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => onSignal(signal))

async function loadDefinitions(): Promise<void> {
  const { definitions, broken } = await discoverInProcess(directories, process.env.PATH)
  for (const { file, error } of broken) log.error({ file, error }, 'definition.broken')
  await registerDefinitions(sql, definitions)
  coordinator.setDefinitions(definitions)
  log.info({ definitions: definitions.map(({ key, version }) => `${key}@${version}`) }, 'definitions.loaded')
}

/** Editors write a file in several steps: what settles is what counts. */
function watchJobs(directory: string) {
  let timer: NodeJS.Timeout | undefined
  return watch(directory, () => {
    clearTimeout(timer)
    timer = setTimeout(() => {
      loadDefinitions().catch((error) => log.error({ err: error }, 'definitions.reload_failed'))
    }, watchSettleMs)
  })
}

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
  for (const watcher of watchers) watcher.close()
  await coordinator.stop()
  await sql.end({ timeout: 1 })
  log.info('worker.stopped')
  process.exit(0)
}
