import { existsSync, statSync } from 'node:fs'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { type Download, guardedDownload } from '../../../jobs/http/guarded-download.ts'
import { until } from '../../support/until.ts'

const file = Buffer.alloc(300_000, 'video ')
const answers: Record<string, (response: ServerResponse) => void> = {
  '/file': (response) => response.end(file),
  '/chunked': (response) => {
    response.write(file.subarray(0, 1000))
    response.end(file.subarray(1000))
  },
  '/moved': (response) => response.writeHead(302, { location: '/file' }).end(),
  '/inward': (response) => response.writeHead(302, { location: 'http://169.254.169.254/secrets' }).end(),
  '/loop': (response) => response.writeHead(302, { location: '/loop' }).end(),
  '/none': (response) => response.writeHead(404).end('nothing here'),
  '/forbidden': (response) => response.writeHead(403).end(),
  '/busy': (response) => response.writeHead(503).end(),
  '/hasty': (response) => response.writeHead(429).end(),
  '/short': (response) => {
    response.writeHead(200, { 'content-length': String(file.length) })
    response.write(file.subarray(0, 1000))
    setTimeout(() => response.destroy(), 50)
  },
  '/silent': (response) => {
    response.writeHead(200, { 'content-length': String(file.length) })
    response.write(file.subarray(0, 1000))
  },
  '/mute': () => {},
}
const server = createServer((request, response) => answers[request.url ?? '']?.(response))
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
const directory = await mkdtemp(join(tmpdir(), 'job-server-download-test-'))
afterAll(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  await rm(directory, { recursive: true })
})

const path = join(directory, 'file')

async function download(from: string, options: Partial<Download> = {}) {
  return await guardedDownload(`${origin}${from}`, path, {
    signal: new AbortController().signal,
    // As if this machine were a public address, and only this one.
    mayReach: (address) => address === '127.0.0.1',
    stallSeconds: 30,
    maxBytes: 1_000_000,
    ...options,
  })
}

test.each(['/file', '/chunked', '/moved'])('%s is written to the file, to the byte', async (from) => {
  expect(await download(from)).toEqual({ sizeBytes: file.length })
  expect((await readFile(path)).equals(file)).toBe(true)
})

test.each([
  ['/none', 'source_missing', false],
  ['/forbidden', 'source_missing', false],
  ['/inward', 'address_not_allowed', false],
  ['/loop', 'too_many_redirects', false],
  ['/busy', 'source_unavailable', true],
  ['/hasty', 'source_unavailable', true],
  ['/short', 'source_unavailable', true],
])('%s fails as %s', async (from, code, retry) => {
  await expect(download(from)).rejects.toMatchObject({ code, retry })
})

test.each(['/file', '/chunked'])(
  '%s is refused when it is larger than allowed, and not read on',
  async (from) => {
    await expect(download(from, { maxBytes: 2000 })).rejects.toMatchObject({
      code: 'limit_exceeded',
      retry: false,
      details: { limit: 'sizeBytes', bound: 2000 },
    })
  },
)

test('an address that may not be reached is not asked', async () => {
  await expect(download('/file', { mayReach: () => false })).rejects.toMatchObject({
    code: 'address_not_allowed',
  })
})

test.each(['/silent', '/mute'])('%s is given up as stalled', async (from) => {
  await expect(download(from, { stallSeconds: 0.3 })).rejects.toMatchObject({ code: 'stalled', retry: true })
})

test('an abort ends it with the reason of the abort', async () => {
  await rm(path)
  const abort = new AbortController()
  const ended = expect(download('/silent', { signal: abort.signal })).rejects.toThrow('enough')
  await until('it to have begun', () => existsSync(path) && statSync(path).size > 0)
  abort.abort(new Error('enough'))
  await ended
  expect((await stat(path)).size).toBeLessThan(file.length)
})
