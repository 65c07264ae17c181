import { createServer, type ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { afterAll, expect, test } from 'vitest'
import { createStorage } from '../../../../core/storage/client.ts'
import { testStorage } from '../../../support/storage.ts'

const { config } = await testStorage()
const sizeBytes = 8
/** So that the whole takes far longer than an answer may. */
const pauseMs = 250

type Answer = (request: AsyncIterable<Buffer>, response: ServerResponse) => unknown
let answer: Answer = () => {}
let requests = 0
const server = createServer((request, response) => {
  requests++
  void answer(request, response)
})
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
afterAll(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})
const address = server.address()
const port = address !== null && typeof address === 'object' ? address.port : 0
const storage = createStorage(
  { ...config, S3_ENDPOINT: `http://127.0.0.1:${port}` },
  { answerSeconds: 0.5, idleSeconds: 1 },
)

/** The storage takes the request, and says nothing. */
const silence: Answer = () => {}

test.each([
  { what: 'removing', ask: () => storage.remove('key') },
  { what: 'listing', ask: () => Array.fromAsync(storage.list('prefix/')) },
  { what: 'reading', ask: () => storage.get('key') },
])('$what gives up, after three tries, when the storage says nothing', async ({ ask }) => {
  answer = silence
  requests = 0
  await expect(ask()).rejects.toMatchObject({ name: 'TimeoutError' })
  expect(requests).toBe(3)
})

test('a list that breaks off in the middle is given up', async () => {
  answer = (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/xml' })
    response.write('<ListBucketResult>')
  }
  await expect(Array.fromAsync(storage.list('prefix/'))).rejects.toMatchObject({ name: 'TimeoutError' })
})

test('joining may take long, but not for ever', async () => {
  answer = silence
  requests = 0
  await expect(storage.completeMultipart('key', 'id', [])).rejects.toMatchObject({ name: 'TimeoutError' })
  expect(requests).toBe(3)
})

test('bytes that come slowly are read to the end, and a reader may rest for longer than the storage', async () => {
  answer = async (_request, response) => {
    response.writeHead(200, { 'content-length': sizeBytes })
    response.write('x')
    await Bun.sleep(1500)
    for (let sent = 1; sent < sizeBytes; sent++) {
      await Bun.sleep(pauseMs)
      response.write('x')
    }
    response.end()
  }
  const object = await storage.get('key')
  if (object === null || object === 'unsatisfiable') throw new Error('there is no object')
  expect(await new Response(object.body).text()).toBe('x'.repeat(sizeBytes))
})

test('bytes that are taken slowly are written to the end', async () => {
  let received = 0
  answer = async (request, response) => {
    for await (const bytes of request) received += bytes.length
    // Longer than a request may take that has few bytes.
    await Bun.sleep(3 * pauseMs)
    response.writeHead(200, { etag: '"etag"' }).end()
  }
  const body = Readable.from([Buffer.alloc(sizeBytes)])
  await storage.putStream('key', body, { contentType: 'text/plain', partSizeBytes: 8 * 1024 ** 2 })
  expect(received).toBe(sizeBytes)
})
