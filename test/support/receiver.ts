/** An endpoint for webhooks on loopback: it keeps what it got and answers as it is told, by the path. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Webhook } from 'standardwebhooks'
import { afterAll } from 'vitest'
import { until } from './until.ts'

export interface Received {
  path: string
  headers: Record<string, string>
  body: string
}

export interface Receiver {
  /** The address of a path. */
  url(path: string): string
  /** What came to a path, oldest first. */
  at(path: string): Received[]
  /** Resolves with all that came to the path once that is so many. */
  gets(path: string, count: number): Promise<Received[]>
}

type Behaviour = (response: ServerResponse, received: Received, count: number) => void

/** @param behaviours by path, told how often it was asked; any other path answers 204 */
export async function testReceiver(behaviours: Record<string, Behaviour> = {}): Promise<Receiver> {
  const received: Received[] = []
  const server = createServer(async (request, response) => {
    const got = { path: request.url ?? '', headers: headersOf(request), body: await bodyOf(request) }
    received.push(got)
    const count = received.filter(({ path }) => path === got.path).length
    const answer = behaviours[got.path]
    if (answer === undefined) response.writeHead(204).end()
    else answer(response, got, count)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  afterAll(() => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(resolve))
  })
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const at = (path: string) => received.filter((one) => one.path === path)
  return {
    url: (path) => origin + path,
    at,
    gets: (path, count) =>
      until(`${count} messages to ${path}`, () => at(path).length >= count && at(path)).catch(
        (cause: Error) => {
          throw new Error(`${cause.message}; there came ${JSON.stringify(at(path).map(({ body }) => body))}`)
        },
      ),
  }
}

/** By a library that is not ours. @throws when the signature is not by the secret */
export function verify({ body, headers }: Received, secret: string): unknown {
  return new Webhook(secret).verify(body, headers)
}

function headersOf(request: IncomingMessage): Record<string, string> {
  return Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]))
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = ''
  for await (const chunk of request) body += chunk
  return body
}
