/**
 * Function URL events (payload format 2.0) as requests, and responses as streams. Hono's own adapter answers an event
 * that makes no request with the text of a 500 under status 200, and knows nothing of the time limit.
 */
import type { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Context } from 'hono'
import type { ConnInfo } from 'hono/conninfo'

export interface FunctionUrlEvent {
  version: '2.0'
  rawPath: string
  rawQueryString: string
  cookies?: string[]
  headers: Record<string, string>
  requestContext: { domainName: string; http: { method: string; sourceIp: string } }
  body?: string
  isBase64Encoded: boolean
}

interface LambdaContext {
  getRemainingTimeInMillis(): number
}

/** What the managed Node runtime puts there. */
declare const awslambda: {
  streamifyResponse(
    handler: (event: FunctionUrlEvent, stream: Writable, context: LambdaContext) => Promise<void>,
  ): unknown
  HttpResponseStream: {
    from(
      stream: Writable,
      head: { statusCode: number; headers: Record<string, string>; cookies: string[] },
    ): Writable
  }
}

/** Streams end so long before the function would be cut off in the middle of them. */
const closingMs = 1000
/** What comes after the answer ends so long before. */
const cutOffMs = 200

export function connectionOf(c: Context): ConnInfo {
  const { event } = c.env as { event: FunctionUrlEvent }
  return { remote: { address: event.requestContext.http.sourceIp } }
}

/** @param afterwards is waited for when the answer is out; told how many milliseconds there are for it */
export function streamingHandler(
  respond: (request: Request, event: FunctionUrlEvent) => Response | Promise<Response>,
  afterwards: (remainingMs: number) => Promise<void> = async () => {},
): unknown {
  return awslambda.streamifyResponse(async (event, stream, context) => {
    const timeUp = new AbortController()
    const timer = setTimeout(
      () => timeUp.abort(),
      Math.max(0, context.getRemainingTimeInMillis() - closingMs),
    )
    try {
      const response = await respond(requestOf(event, timeUp.signal), event)
      const headers = Object.fromEntries([...response.headers].filter(([name]) => name !== 'set-cookie'))
      const cookies = response.headers.getSetCookie()
      const body = awslambda.HttpResponseStream.from(stream, {
        statusCode: response.status,
        headers,
        cookies,
      })
      // The head is sent with the first write, even when nothing follows.
      if (response.body === null) body.end('')
      else await pipeline(response.body, body)
    } finally {
      clearTimeout(timer)
      await afterwards(Math.max(0, context.getRemainingTimeInMillis() - cutOffMs))
    }
  })
}

function requestOf(event: FunctionUrlEvent, signal: AbortSignal): Request {
  const { rawPath, rawQueryString, requestContext, cookies = [], body = '', isBase64Encoded } = event
  const { method } = requestContext.http
  const headers = new Headers()
  for (const [name, value] of Object.entries(event.headers)) headers.set(name, headerText(value))
  if (cookies.length > 0) headers.set('cookie', cookies.join('; '))
  const query = rawQueryString === '' ? '' : `?${rawQueryString}`
  const url = `https://${headers.get('host') ?? requestContext.domainName}${rawPath}${query}`
  // Requests of these methods have no body, whatever came with them.
  if (['GET', 'HEAD'].includes(method)) return new Request(url, { method, headers, signal })
  const bytes = Buffer.from(body, isBase64Encoded ? 'base64' : 'utf8')
  headers.set('content-length', String(bytes.length))
  return new Request(url, { method, headers, signal, ...(bytes.length > 0 ? { body: bytes } : {}) })
}

/** `Headers` takes no character beyond Latin-1; the bytes of UTF-8 are what other runtimes show. */
function headerText(value: string): string {
  return Buffer.from(value).toString('latin1')
}
