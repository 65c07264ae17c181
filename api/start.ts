/** What every entry does before it serves: configuration, log, database, storage, and the app over them. */
import { hostname } from 'node:os'
import type { Context } from 'hono'
import type { ConnInfo } from 'hono/conninfo'
import type { Config } from '../core/config.ts'
import { configOrExit } from '../core/config-or-exit.ts'
import { openListener, openPool, type Pool, prepareOnceReached } from '../core/db.ts'
import { EventHub } from '../core/events/hub.ts'
import { createLog, type Log } from '../core/log.ts'
import { createFinishWatch, type FinishWatch } from '../core/queue/wait.ts'
import { createStorage } from '../core/storage/client.ts'
import { openTracing, type Tracing } from '../core/trace/open.ts'
import { accessOrExit, openTo } from './access.ts'
import { type App, createApp } from './app.ts'

const drainMs = 10_000

export interface Started {
  app: App
  config: Config
  log: Log
  sql: Pool
  readiness: Pool
  events: EventHub
  finishWatch: FinishWatch
  tracing: Tracing
}

/** For entries that listen. @param afterPart called when a part of a body is stored */
export async function start(
  environment: Record<string, string | undefined>,
  { connectionOf, afterPart }: { connectionOf: (c: Context) => ConnInfo; afterPart?: () => void },
): Promise<Started> {
  const config = configOrExit(environment)
  const log = createLog({ level: config.LOG_LEVEL, name: 'api' })
  const sql = openPool(config, 'job-server api')
  void prepareOnceReached(sql, config)
  // Kept, as all others are: one that is asked again and again hears of a host that vanished.
  const readiness = openPool({ ...config, DATABASE_POOL_SIZE: 1 }, 'job-server api readiness')
  const storage = createStorage(config, afterPart === undefined ? {} : { afterPart })
  const events = new EventHub({ sql, openListener: () => openListener(config, 'job-server api'), log })
  const finishWatch = createFinishWatch(sql)
  const tracing = await openTracing(config, log, { program: 'api', instance: `${hostname()}:${process.pid}` })
  await accessOrExit(sql, config, log)
  const app = createApp({
    sql,
    readiness,
    storage,
    events,
    finishWatch,
    config,
    log,
    tracing,
    openTo: openTo(config),
    connectionOf,
  })
  return { app, config, log, sql, readiness, events, finishWatch, tracing }
}

/** The server that a runtime gave. */
export interface Listening {
  url: string
  /** Takes nothing more and resolves when the requests under way are answered. */
  close(): Promise<void>
  /** Cuts them off. */
  abort(): void
}

/** Says that it is up, and stops on a signal; a second one ends at once. */
export function serveUntilSignal(
  { log, sql, readiness, events, finishWatch, tracing }: Started,
  server: Listening,
): void {
  log.info({ url: server.url }, 'api.started')
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

  async function shutDown(): Promise<void> {
    // Their clients go on with another process.
    finishWatch.stop()
    await events.stop()
    const patience = setTimeout(() => server.abort(), drainMs)
    await server.close()
    clearTimeout(patience)
    await tracing.stop()
    await Promise.all([sql, readiness].map((pool) => pool.end({ timeout: 1 })))
    log.info('api.stopped')
    process.exit(0)
  }
}

/** A port that cannot be had ends the start with a sentence. */
export function exitIfPortIsTaken(error: unknown, { PORT, HOST }: Config): never {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code !== 'EADDRINUSE') throw error
  console.error(`PORT  ${PORT} on ${HOST} is taken by another process; choose another.`)
  process.exit(1)
}
