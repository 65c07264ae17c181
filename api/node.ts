/** Entry of the API on Node, built by `bun run build:node`. */
import { createServer, type Server } from 'node:http'
import { serve } from '@hono/node-server'
import { getConnInfo } from '@hono/node-server/conninfo'
import { exitIfPortIsTaken, serveUntilSignal, start } from './start.ts'

const started = await start(process.env, { connectionOf: getConnInfo })
const { app, config } = started

const server = serve({
  fetch: app.fetch,
  hostname: config.HOST,
  port: config.PORT,
  createServer,
  // Node's 5 minutes for a whole request would cut off large uploads over slow lines.
  serverOptions: { requestTimeout: 0 },
}) as Server
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
