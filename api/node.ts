/** Entry of the API on Node, built by `bun run build:node`. */
import { createServer, type Server } from 'node:http'
import { serve } from '@hono/node-server'
import { getConnInfo } from '@hono/node-server/conninfo'
import { idleSeconds } from './idle-time.ts'
import { exitIfPortIsTaken, serveUntilSignal, start } from './start.ts'

/** Longer than load balancers keep a connection to use it again, often 60 s: or they send into one that we just closed. */
const keepAliveMs = 65_000
const probeAfterMs = 60_000

const started = await start(process.env, { connectionOf: getConnInfo })
const { app, config } = started

const server = serve({
  fetch: app.fetch,
  hostname: config.HOST,
  port: config.PORT,
  createServer,
  serverOptions: {
    // Node's 5 minutes for a whole request would cut off large uploads over slow lines.
    requestTimeout: 0,
    // Node's own, which without a time for the whole request would be without end too.
    headersTimeout: 60_000,
    keepAliveTimeout: keepAliveMs,
    // Finds out that a client is gone that never said so.
    keepAlive: true,
    keepAliveInitialDelay: probeAfterMs,
  },
}) as Server
server.setTimeout(1000 * idleSeconds)
server.once('error', (error) => exitIfPortIsTaken(error, config))
server.once('listening', () => {
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : config.PORT
  serveUntilSignal(started, {
    url: `http://${config.HOST.includes(':') ? `[${config.HOST}]` : config.HOST}:${port}/`,
    close: () => new Promise((resolve) => server.close(() => resolve())),
    abort: () => server.closeAllConnections(),
  })
})
