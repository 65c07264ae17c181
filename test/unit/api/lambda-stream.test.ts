import { PassThrough } from 'node:stream'
import { afterEach, expect, test, vi } from 'vitest'
import { type FunctionUrlEvent, streamingHandler } from '../../../api/lambda-stream.ts'

interface Head {
  statusCode: number
  headers: Record<string, string>
  cookies: string[]
}

type Handler = (
  event: FunctionUrlEvent,
  stream: PassThrough,
  context: { getRemainingTimeInMillis(): number },
) => Promise<void>

afterEach(() => vi.unstubAllGlobals())

/** Invokes a handler as AWS's runtime does, and gives what it streamed. */
async function invoke(
  respond: (request: Request) => Response | Promise<Response>,
  event: Partial<FunctionUrlEvent> & { method?: string } = {},
  remainingMs = 60_000,
  afterwards?: (remainingMs: number) => Promise<void>,
) {
  let head: Head | undefined
  vi.stubGlobal('awslambda', {
    streamifyResponse: (handler: Handler) => handler,
    HttpResponseStream: {
      from: (stream: PassThrough, given: Head) => {
        head = given
        return stream
      },
    },
  })
  const stream = new PassThrough()
  const { method = 'GET', ...rest } = event
  const whole: FunctionUrlEvent = {
    version: '2.0',
    rawPath: '/a%20b',
    rawQueryString: 'x=1&x=2',
    headers: { host: 'id.lambda-url.example' },
    requestContext: { domainName: 'id.lambda-url.example', http: { method, sourceIp: '192.0.2.1' } },
    isBase64Encoded: false,
    ...rest,
  }
  const handler = streamingHandler(respond, afterwards) as Handler
  await handler(whole, stream, { getRemainingTimeInMillis: () => remainingMs })
  return { head, body: Buffer.concat(await stream.toArray()) }
}

test('path, query, headers and cookies arrive as they were sent', async () => {
  let seen: Request | undefined
  await invoke(
    (request) => {
      seen = request
      return new Response('ok')
    },
    { cookies: ['a=1', 'b=2'], headers: { host: 'own.example', 'x-name': 'é' } },
  )
  expect(seen?.url).toBe('https://own.example/a%20b?x=1&x=2')
  expect(seen?.headers.get('cookie')).toBe('a=1; b=2')
  expect(Buffer.from(seen?.headers.get('x-name') ?? '', 'latin1').toString()).toBe('é')
})

test('a body in base64 arrives as the bytes it was', async () => {
  const bytes = Buffer.from([0, 255, 13, 10, 128])
  const { body } = await invoke(async (request) => new Response(await request.arrayBuffer()), {
    method: 'POST',
    body: bytes.toString('base64'),
    isBase64Encoded: true,
  })
  expect(body.equals(bytes)).toBe(true)
})

test('each cookie of an answer goes by itself, and bytes stay bytes', async () => {
  const headers = new Headers({ 'content-type': 'video/mp4' })
  headers.append('set-cookie', 'a=1; Expires=Wed, 21 Oct 2030 07:28:00 GMT')
  headers.append('set-cookie', 'b=2')
  const bytes = new Uint8Array([0, 1, 254, 255])
  const { head, body } = await invoke(() => new Response(bytes, { status: 206, headers }))
  expect(head).toMatchObject({ statusCode: 206, headers: { 'content-type': 'video/mp4' } })
  expect(head?.headers).not.toHaveProperty('set-cookie')
  expect(head?.cookies).toEqual(['a=1; Expires=Wed, 21 Oct 2030 07:28:00 GMT', 'b=2'])
  expect(body.equals(Buffer.from(bytes))).toBe(true)
})

test('a GET with a body is a GET all the same', async () => {
  const { head } = await invoke((request) => new Response(request.method), { body: 'surprise' })
  expect(head?.statusCode).toBe(200)
})

test('an answer without a body has a head', async () => {
  const { head, body } = await invoke(() => new Response(null, { status: 204 }))
  expect(head?.statusCode).toBe(204)
  expect(body).toHaveLength(0)
})

test('a stream is told to end a second before the function is cut off', async () => {
  const endless = (request: Request) =>
    new Response(
      new ReadableStream({
        start(controller) {
          controller.enqueue(new TextEncoder().encode('begun '))
          request.signal.addEventListener('abort', () => {
            controller.enqueue(new TextEncoder().encode('ended'))
            controller.close()
          })
        },
      }),
    )
  const { body } = await invoke(endless, {}, 1100)
  expect(body.toString()).toBe('begun ended')
})

test('the function is not done before what comes after the answer is, which is told how long it has', async () => {
  const told: number[] = []
  let isDone = false
  const afterwards = async (remainingMs: number) => {
    told.push(remainingMs)
    await new Promise((resolve) => setTimeout(resolve, 20))
    isDone = true
  }
  const { body } = await invoke(() => new Response('ok'), {}, 5000, afterwards)
  expect(body.toString()).toBe('ok')
  expect(isDone).toBe(true)
  expect(told).toEqual([4800])
})

test('a failure before the head is the runtime’s to report', async () => {
  await expect(
    invoke(() => {
      throw new Error('broken')
    }),
  ).rejects.toThrow('broken')
})
