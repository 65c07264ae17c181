/**
 * Entry of the API on AWS Lambda behind a function URL with response streaming (InvokeMode RESPONSE_STREAM), built by
 * `bun run build:function`. A function URL can be reached from anywhere, so callers need a key unless AUTH=none.
 */
import { configOrExit } from '../core/config-or-exit.ts'
import { openPool } from '../core/db.ts'
import { EventHub } from '../core/events/hub.ts'
import { createLog } from '../core/log.ts'
import { createFinishWatch } from '../core/queue/wait.ts'
import { createStorage } from '../core/storage/client.ts'
import { openTracing } from '../core/trace/open.ts'
import { createApp } from './app.ts'
import { connectionOf, type FunctionUrlEvent, streamingHandler } from './lambda-stream.ts'

/** An instance serves one request at a time, and there may be thousands of instances. */
const connections = 1
/**
 * A connection that was idle while the instance was frozen may be dead without anybody having been told. Our patch of
 * postgres.js closes it also where the next request comes before the timer, and where nobody answers its goodbye.
 */
const idleSeconds = 20
const flushMs = 1000

const config = configOrExit(process.env)
const log = createLog({ level: config.LOG_LEVEL, name: 'api' })
const sql = openPool({ ...config, DATABASE_POOL_SIZE: connections }, 'job-server function', { idleSeconds })
const tracing = await openTracing(config, log, {
  program: 'api',
  // Of the instance, where the runtime tells it.
  instance: process.env.AWS_LAMBDA_LOG_STREAM_NAME ?? String(process.pid),
})
const app = createApp({
  sql,
  readiness: sql,
  storage: createStorage(config),
  // Its one connection is for statements: it looks without hints.
  events: new EventHub({ sql, log }),
  finishWatch: createFinishWatch(sql),
  config,
  log,
  tracing,
  openTo: config.AUTH === 'none' ? 'everybody' : 'nobody',
  connectionOf,
})

export const handler = streamingHandler(
  (request, event: FunctionUrlEvent) => app.fetch(request, { event }),
  // Afterwards the instance is frozen, and nothing of it goes on.
  (remainingMs) => tracing.flush(Math.min(flushMs, remainingMs)),
)
