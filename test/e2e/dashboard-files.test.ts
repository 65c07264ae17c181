/** How the dashboard's files are served: compressed, kept by browsers as long as is right, under a strict policy. */
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { views } from '../../api/routes/dashboard.ts'
import { webDirectory } from '../../scripts/web-files.ts'
import { startServer } from '../support/server.ts'

const firstViewBytes = 200_000

const server = await startServer({ workers: 0 })

const get = (path: string, headers: Record<string, string> = {}) =>
  fetch(`${server.url}${path}`, { headers, decompress: false } as RequestInit)
const page = await (await get('/')).text()
const assets = [...page.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map(([, path = '']) => path)

test.each(['', ...views].map((view) => `/${view}`))('%s is the page', async (path) => {
  const answer = await get(path)
  expect(answer.status).toBe(200)
  expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8')
  expect(await answer.text()).toBe(page)
})

test('what lies below a view is the page too, what lies nowhere is a problem', async () => {
  expect(await (await get('/jobs/019a8b3e-5c1f-7c3a-9f4e-2d6b8a1c0e57')).text()).toBe(page)
  for (const path of [
    '/nothing',
    '/assets/nothing.js',
    '/assets/../manifest.json',
    '/assets/%2e%2e/manifest.json',
  ]) {
    const answer = await get(path)
    expect(answer.status, path).toBe(404)
    expect(answer.headers.get('content-type')).toBe('application/problem+json')
  }
})

test('the page is asked for each time, and not sent again while it is the same', async () => {
  const first = await get('/')
  expect(first.headers.get('cache-control')).toBe('no-cache')
  const again = await get('/', { 'if-none-match': first.headers.get('etag') ?? '' })
  expect(again.status).toBe(304)
  expect(await again.text()).toBe('')
  expect((await get('/', { 'if-none-match': '"of another build"' })).status).toBe(200)
})

test('files with a hash in their names are kept for ever', async () => {
  expect(assets.length).toBeGreaterThan(1)
  for (const path of assets) {
    const answer = await get(path)
    expect(answer.headers.get('cache-control'), path).toBe('public, max-age=31536000, immutable')
    expect(path).toMatch(/-[0-9a-z]{8}\.\w+$/)
  }
})

test.each([
  ['br, gzip', 'br'],
  ['gzip, deflate, br', 'br'],
  ['gzip', 'gzip'],
  ['br;q=0, gzip', 'gzip'],
  ['identity', null],
])('who accepts %s is sent %s', async (accepted, sent) => {
  const script = assets.find((path) => path.endsWith('.js')) ?? ''
  const answer = await get(script, { 'accept-encoding': accepted })
  expect(answer.headers.get('content-encoding')).toBe(sent)
  expect(answer.headers.get('vary')).toContain('Accept-Encoding')
  const bytes = Buffer.from(await answer.arrayBuffer())
  const stored = sent === null ? `${webDirectory}${script}` : `${webDirectory}${script}.${sent}`
  expect(bytes.equals(await readFile(stored))).toBe(true)
})

test('the policy lets the page load from itself and talk to itself and the storage, and nothing inline', async () => {
  const policy = (await get('/')).headers.get('content-security-policy') ?? ''
  const storage = new URL(server.bucket.config.S3_ENDPOINT ?? '').origin
  expect(policy).toContain("default-src 'none'")
  expect(policy).toContain("script-src 'self';")
  expect(policy).toContain("style-src 'self';")
  expect(policy).toContain(`connect-src 'self' ${storage};`)
  expect(policy).toContain("frame-ancestors 'none'")
  expect(policy).not.toContain('unsafe')
  expect(page).not.toMatch(/<script(?![^>]* src=)|<style|\son\w+=/)
})

test.each(['br', 'gzip'])('all that the first view needs is less than 200 KB by %s', async (encoding) => {
  const names = await readdir(join(webDirectory, 'assets'))
  // The page's own files, the first view's and the typeface.
  const first = (name: string) => /^(overview|geist)-/.test(name) || assets.includes(`/assets/${name}`)
  const shared = await importedBy(names.filter((name) => /\.js$/.test(name) && first(name)))
  const needed = new Set([
    '../index.html',
    ...names.filter(first).filter((name) => !/\.(br|gzip)$/.test(name)),
    ...shared,
  ])
  let total = 0
  for (const name of needed) {
    const packed = join(webDirectory, 'assets', `${name}.${encoding}`)
    const file = existsSync(packed) ? packed : join(webDirectory, 'assets', name)
    total += (await readFile(file)).length
  }
  expect([...needed].join(' ')).toMatch(/overview.*\.js/)
  expect(total).toBeLessThan(firstViewBytes)
})

/** Chunks that these import before anything of them runs, and what those do. */
async function importedBy(names: string[]): Promise<Set<string>> {
  const found = new Set<string>()
  const waiting = [...names]
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    const code = await readFile(join(webDirectory, 'assets', name), 'utf8')
    for (const [, chunk = ''] of code.matchAll(/\bfrom\s*"\/assets\/([^"]+)"/g)) {
      if (found.has(chunk)) continue
      found.add(chunk)
      waiting.push(chunk)
    }
  }
  return found
}
