/** A way to an HTTP server that can be shut, as when the server is down, or can answer in its place. */
import { afterAll } from 'vitest'

export interface Gate {
  /** The address of the server by way of the gate. */
  url: string
  /** Paths and queries that were asked for, oldest first, and when. */
  asked: { path: string; atMs: number }[]
  /** Connections break, and new ones are refused. */
  shut(): Promise<void>
  open(): void
  /** The next requests are answered so, one each. */
  answerNext(...answers: Response[]): void
}

export function openGate(serverUrl: string): Gate {
  const asked: Gate['asked'] = []
  const instead: Response[] = []
  const listen = (port: number) =>
    Bun.serve({
      hostname: '127.0.0.1',
      port,
      fetch: async (request) => {
        const { pathname, search } = new URL(request.url)
        asked.push({ path: pathname + search, atMs: performance.now() })
        return instead.shift() ?? (await pass(request, serverUrl + pathname + search))
      },
    })
  let server = listen(0)
  const port = server.port ?? 0
  afterAll(() => server.stop(true))
  return {
    url: `http://127.0.0.1:${port}`,
    asked,
    shut: () => server.stop(true),
    open: () => {
      server = listen(port)
    },
    answerNext: (...answers) => {
      instead.push(...answers)
    },
  }
}

async function pass(request: Request, url: string): Promise<Response> {
  const body = request.body === null ? {} : { body: await request.text() }
  const answer = await fetch(url, { method: request.method, headers: request.headers, ...body })
  const type = answer.headers.get('content-type')
  return new Response(await answer.text(), {
    status: answer.status,
    headers: type === null ? {} : { 'content-type': type },
  })
}
