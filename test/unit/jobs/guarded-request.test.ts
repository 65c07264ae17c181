import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, expect, test } from 'vitest'
import { guardedRequest } from '../../../jobs/http/guarded-request.ts'

async function serve(answer: RequestListener): Promise<string> {
  const server = createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  afterAll(() => new Promise((resolve) => server.close(resolve)))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** As if this machine were a public address. */
const mayReach = () => true
const seen: { method: string | undefined; url: string | undefined; body: string }[] = []
const origin = await serve(async (request, response) => {
  let body = ''
  for await (const chunk of request) body += chunk
  seen.push({ method: request.method, url: request.url, body })
  const [, kind, status] = request.url?.split('/') ?? []
  if (kind === 'redirect') response.writeHead(Number(status), { location: '/landed' }).end()
  else if (kind === 'loop') response.writeHead(302, { location: '/loop' }).end()
  else if (kind === 'inward') response.writeHead(302, { location: 'http://169.254.169.254/secrets' }).end()
  else if (kind === 'elsewhere') response.writeHead(302, { location: 'file:///etc/passwd' }).end()
  else if (kind === 'flood') response.end(Buffer.alloc(2 * 1024 ** 2))
  else response.writeHead(200, { 'content-type': 'text/plain' }).end('landed')
})

test('a name of this machine is refused before anything is sent', async () => {
  const before = seen.length
  for (const url of [
    origin,
    origin.replace('127.0.0.1', 'localhost'),
    origin.replace('127.0.0.1', '[::ffff:127.0.0.1]'),
  ]) {
    await expect(guardedRequest(url, { method: 'GET' })).rejects.toMatchObject({
      code: 'address_not_allowed',
      retry: false,
    })
  }
  expect(seen).toHaveLength(before)
})

test.each([
  [302, 'POST', 'GET', ''],
  [303, 'PUT', 'GET', ''],
  [307, 'POST', 'POST', '{"n":1}'],
  [308, 'PUT', 'PUT', '{"n":1}'],
])('a redirect by %i of a %s becomes a %s', async (status, method, followed, body) => {
  const answer = await guardedRequest(`${origin}/redirect/${status}`, { method, json: { n: 1 }, mayReach })
  expect(answer).toMatchObject({ status: 200, text: 'landed' })
  expect(seen.at(-1)).toEqual({ method: followed, url: '/landed', body })
})

test.each([
  ['/loop', 'too_many_redirects'],
  ['/inward', 'address_not_allowed'],
  ['/elsewhere', 'address_not_allowed'],
  ['/flood', 'answer_too_large'],
])('%s is refused as %s', async (path, code) => {
  const mayReachHere = (address: string) => address === '127.0.0.1'
  await expect(
    guardedRequest(`${origin}${path}`, { method: 'GET', mayReach: mayReachHere }),
  ).rejects.toMatchObject({ code, retry: false })
})

test('who can not be reached may be reached later', async () => {
  await expect(guardedRequest('http://127.0.0.1:1', { method: 'GET', mayReach })).rejects.toMatchObject({
    code: 'unreachable',
    retry: true,
  })
})
