/** Entry of the API on Bun. */
import { getConnInfo } from 'hono/bun'
import { configOrExit } from '../core/config-or-exit.ts'
import { openPool } from '../core/db.ts'
import { createLog } from '../core/log.ts'
import { createStorage } from '../core/storage/client.ts'
import { accessOrExit, openTo } from './access.ts'
import { createApp } from './app.ts'

/** Bun's largest. A large upload over a slow line may pause; Bun's own 10 s would cut it off. */
const idleTimeoutSeconds = 255
const drainMs = 10_000
const partsPerWholeCollection = 32

let storedParts = 0

const config = configOrExit(process.env)
const log = createLog({ level: config.LOG_LEVEL, name: 'api' })
const sql = openPool(config, 'job-server api')
const storage = createStorage(config, { afterPart: collectGarbage })
await accessOrExit(sql, config, log)
const app = createApp({ sql, storage, config, log, openTo: openTo(config), connectionOf: getConnInfo })
const server = listen()
log.info({ url: server.url.href }, 'api.started')
// For process managers that wait for it, as pm2 does.
process.send?.('ready')

let stopping = false
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => {
    if (stopping) process.exit(1)
    stopping = true
    void shutDown()
  })
}

/**
 * Bodies that stream through leave garbage faster than Bun collects it of its own accord: one of 2 GB raised the memory
 * by 120 MB, this way by 60 MB (measured). The quick collections miss what got old meanwhile; a whole one takes 7 ms.
 */
function collectGarbage(): void {
  storedParts++
  Bun.gc(storedParts % partsPerWholeCollection === 0)
}

function listen() {
  try {
    return Bun.serve({
      hostname: config.HOST,
      port: config.PORT,
      idleTimeout: idleTimeoutSeconds,
      // The app bounds each body itself and answers with a problem; Bun would close without a word.
      maxRequestBodySize: Number.MAX_SAFE_INTEGER,
      fetch: app.fetch,
    })
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')) throw error
    console.error(`PORT  ${config.PORT} on ${config.HOST} is taken by another process; choose another.`)
    process.exit(1)
  }
}

/** Requests under way are answered; what takes longer than the drain is cut off. */
async function shutDown(): Promise<void> {
  const patience = setTimeout(() => void server.stop(true), drainMs)
  await server.stop()
  clearTimeout(patience)
  await sql.end({ timeout: 1 })
  log.info('api.stopped')
  process.exit(0)
}
