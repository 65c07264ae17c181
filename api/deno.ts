/** Entry of the API on Deno: `deno run -A api/deno.ts`. */
import { getConnInfo } from 'hono/deno'
import { exitIfPortIsTaken, serveUntilSignal, start } from './start.ts'

/** What we use of Deno, whose own types would clash with Bun's. */
declare const Deno: {
  serve(
    options: { hostname: string; port: number; signal: AbortSignal; onListen: () => void },
    handler: (request: Request, info: object) => Response | Promise<Response>,
  ): { addr: { hostname: string; port: number }; shutdown(): Promise<void> }
}

const started = await start(process.env, { connectionOf: getConnInfo })
const abort = new AbortController()
const server = listen()
const { hostname, port } = server.addr
serveUntilSignal(started, {
  url: `http://${hostname.includes(':') ? `[${hostname}]` : hostname}:${port}/`,
  close: () => server.shutdown(),
  abort: () => abort.abort(),
})

function listen() {
  const { app, config } = started
  try {
    return Deno.serve(
      { hostname: config.HOST, port: config.PORT, signal: abort.signal, onListen: () => {} },
      app.fetch,
    )
  } catch (error) {
    return exitIfPortIsTaken(error, config)
  }
}
