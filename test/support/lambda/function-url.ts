/**
 * A function URL on loopback: turns requests into events of payload format 2.0, gives them to an instance through the
 * Runtime API, and what that streams back into responses. Bodies beyond 6 MB are refused, as AWS does.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

const largestBodyBytes = 6 * 1024 ** 2
const timeLimitMs = 60_000
const textTypes = /^(text\/|application\/(json|javascript|xml|x-www-form-urlencoded))/

interface Invocation {
  id: string
  event: object
  response: ServerResponse
}

export interface FunctionUrl {
  url: string
  /** What AWS_LAMBDA_RUNTIME_API names. */
  runtimeApi: string
  close(): void
}

export async function openFunctionUrl(port: number): Promise<FunctionUrl> {
  const waiting: Invocation[] = []
  const idle: ((invocation: Invocation) => void)[] = []
  const running = new Map<string, Invocation>()
  let invocations = 0

  const front = createServer(async (request, response) => {
    const body = await bodyOf(request).catch(() => 'broken off' as const)
    if (body === 'broken off') return
    if (body === 'too large') {
      response.writeHead(413, { 'content-type': 'application/json' })
      response.end(
        '{"Message":"Request must be smaller than 6291456 bytes for the InvokeFunction operation"}',
      )
      return
    }
    const invocation = { id: `invocation-${++invocations}`, event: eventOf(request, body), response }
    const take = idle.shift()
    if (take === undefined) waiting.push(invocation)
    else take(invocation)
  })

  const runtime = createServer(async (request, response) => {
    const [, id = '', what = ''] = /\/invocation\/([^/]+)\/?(\w*)$/.exec(request.url ?? '') ?? []
    if (id === 'next') {
      const invocation = waiting.shift() ?? (await new Promise<Invocation>((resolve) => idle.push(resolve)))
      running.set(invocation.id, invocation)
      response.writeHead(200, {
        'content-type': 'application/json',
        'lambda-runtime-aws-request-id': invocation.id,
        'lambda-runtime-deadline-ms': String(Date.now() + timeLimitMs),
      })
      response.end(JSON.stringify(invocation.event))
      return
    }
    const target = running.get(id)?.response
    running.delete(id)
    if (target !== undefined) {
      if (what === 'response') await answer(request, target)
      else target.writeHead(502).end('Internal Server Error')
    }
    request.resume()
    response.writeHead(202).end()
  })

  await new Promise<void>((resolve) => front.listen(port, '127.0.0.1', resolve))
  await new Promise<void>((resolve) => runtime.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${port}`,
    runtimeApi: `127.0.0.1:${(runtime.address() as AddressInfo).port}`,
    close: () => {
      for (const server of [front, runtime]) {
        server.close()
        server.closeAllConnections()
      }
    },
  }
}

/** One that breaks off makes no event. */
async function bodyOf(request: IncomingMessage): Promise<Buffer | 'too large'> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request) {
    size += chunk.length
    if (size <= largestBodyBytes) chunks.push(chunk)
  }
  return size > largestBodyBytes ? 'too large' : Buffer.concat(chunks)
}

function eventOf(request: IncomingMessage, body: Buffer): object {
  const [rawPath = '/', ...query] = (request.url ?? '/').split('?')
  const { cookie, ...headers } = request.headers
  const isText = textTypes.test(headers['content-type'] ?? '')
  return {
    version: '2.0',
    routeKey: '$default',
    rawPath,
    rawQueryString: query.join('?'),
    ...(cookie === undefined ? {} : { cookies: cookie.split('; ') }),
    headers: { ...headers, 'x-forwarded-for': request.socket.remoteAddress, 'x-forwarded-proto': 'https' },
    requestContext: {
      domainName: request.headers.host,
      http: {
        method: request.method,
        path: rawPath,
        protocol: 'HTTP/1.1',
        sourceIp: request.socket.remoteAddress,
        userAgent: request.headers['user-agent'],
      },
      timeEpoch: Date.now(),
    },
    ...(body.length === 0 ? {} : { body: body.toString(isText ? 'utf8' : 'base64') }),
    isBase64Encoded: body.length > 0 && !isText,
  }
}

/** The head ends with eight NUL bytes; what follows is passed on as it comes. */
async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let beginning: Buffer = Buffer.alloc(0)
  for await (const chunk of request) {
    if (response.headersSent) {
      response.write(chunk)
      continue
    }
    beginning = Buffer.concat([beginning, chunk])
    const end = beginning.indexOf(Buffer.alloc(8))
    if (end === -1) continue
    const head = JSON.parse(beginning.subarray(0, end).toString())
    const cookies = head.cookies.length > 0 ? { 'set-cookie': head.cookies } : {}
    response.writeHead(head.statusCode, { ...head.headers, ...cookies })
    response.write(beginning.subarray(end + 8))
  }
  response.end()
}
