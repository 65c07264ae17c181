import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, describe, expect, test } from 'vitest'
import { reachOf } from '../../../core/addresses.ts'
import { guardedPost, guardedRequest } from '../../../jobs/http/guarded-request.ts'

async function serve(answer: RequestListener): Promise<string> {
  const server = createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  afterAll(() => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(resolve))
  })
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
  else if (kind === 'drip') response.writeHead(200).write('first')
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

test('an answer that does not end in time is none', async () => {
  const request = guardedRequest(`${origin}/drip`, { method: 'GET', patienceSeconds: 0.2, mayReach })
  await expect(request).rejects.toMatchObject({ code: 'unreachable', retry: true })
})

describe('a post of which only the head of the answer counts', () => {
  const message = { body: '{"b":1}', headers: { 'webhook-id': 'msg_1' } }

  test('is sent as it is, and is told of a redirect without following it', async () => {
    const before = seen.length
    const answer = await guardedPost(`${origin}/redirect/307`, { ...message, mayReach }, 1024)
    expect(answer).toMatchObject({ status: 307, headers: { location: '/landed' } })
    expect(seen.slice(before)).toEqual([{ method: 'POST', url: '/redirect/307', body: '{"b":1}' }])
  })

  test('keeps the first bytes of an answer and leaves the rest', async () => {
    const answer = await guardedPost(`${origin}/flood`, { ...message, mayReach }, 10)
    expect(answer).toMatchObject({ status: 200, text: '\0'.repeat(10) })
  })

  test('is answered once the head has come, though the rest does not come in time', async () => {
    const request = { ...message, patienceSeconds: 0.2, mayReach }
    expect(await guardedPost(`${origin}/drip`, request, 1024)).toMatchObject({ status: 200, text: 'first' })
  })

  test.each([
    ['http://127.0.0.1', '127.0.0.1'],
    ['http://2130706433', '127.0.0.1 in decimal'],
    ['http://0177.0.0.1', '127.0.0.1 in octal'],
    ['http://[::ffff:127.0.0.1]', '127.0.0.1 in IPv6'],
    ['http://localhost', 'a name with private addresses'],
  ])('does not go to %s, %s', async (host) => {
    const before = seen.length
    const url = `${host}:${new URL(origin).port}/`
    for (const mayReach of [undefined, reachOf(['10.0.0.0/8', 'elsewhere'])]) {
      await expect(
        guardedPost(url, { ...message, ...(mayReach === undefined ? {} : { mayReach }) }, 10),
      ).rejects.toMatchObject({ code: 'address_not_allowed', retry: false })
    }
    expect(seen).toHaveLength(before)
  })

  test('goes to a name that is allowed, whatever its addresses', async () => {
    const url = `http://localhost:${new URL(origin).port}/`
    const answer = await guardedPost(url, { ...message, mayReach: reachOf(['localhost']) }, 10)
    expect(answer.text).toBe('landed')
  })
})
