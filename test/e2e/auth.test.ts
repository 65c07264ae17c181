/** Keys, scopes and limits, over the shipped API and the shipped command line. */
import { describe, expect, test } from 'vitest'
import { createPlaybackTokens } from '../../api/playback/token.ts'
import { newId } from '../../core/ids.ts'
import { createKey } from '../../core/keys/create.ts'
import { findKey } from '../../core/keys/read.ts'
import { ChildProcess } from '../../scripts/child-process.ts'
import { anyPort } from '../../scripts/ports.ts'
import { type TestDatabase, testDatabase } from '../support/database.ts'
import { openLine } from '../support/line.ts'
import { run } from '../support/run.ts'
import { startServer, type TestServer } from '../support/server.ts'
import { testStorage } from '../support/storage.ts'
import { until } from '../support/until.ts'

/** `bun run keys …` */
async function keys(databaseUrl: string, ...args: string[]) {
  const environment = { DATABASE_URL: databaseUrl, S3_BUCKET: 'unused' }
  return await run([process.execPath, 'scripts/keys.ts', ...args], { environment })
}

/** By the command line. */
async function newKey(databaseUrl: string, name: string, ...options: string[]) {
  const { status, output, errors } = await keys(databaseUrl, 'create', name, ...options)
  expect(status, errors).toBe(0)
  const [secret = ''] = output.split('\n')
  expect(secret).toMatch(/^jsk_[\w-]{43}$/)
  const [, id = ''] = /^Key (\S+) /m.exec(output) ?? []
  return { id, secret }
}

/** As the command line makes it, without a process of its own. */
async function makeKey({ sql }: TestDatabase, name: string, more: { expiresInDays?: number } = {}) {
  const { key, secret } = await createKey(sql, { name, scopes: ['read'], ...more })
  return { id: key.id, secret }
}

/** As the key's holder. */
function call(server: TestServer, method: string, path: string, secret?: string, body?: unknown) {
  return fetch(`${server.url}${path}`, {
    method,
    headers: {
      ...(secret === undefined ? {} : { authorization: `Bearer ${secret}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
}

describe('an API with keys', async () => {
  const server = await startServer({ workers: 0, environment: { HOST: '0.0.0.0', AUTH: 'none' } })
  const url = server.database.url
  const reader = await newKey(url, 'reader')
  const writer = await createKey(server.database.sql, { name: 'writer', scopes: ['enqueue'] })
  const admin = await newKey(url, 'admin', '--scopes', 'enqueue,admin', '--expires-in-days', '1')
  const guarded = await startApi(server, { HOST: '0.0.0.0' })

  test('who shows no key, a wrong one or something else learns how to', async () => {
    const none = await call(guarded, 'GET', '/v1/jobs')
    expect(none.status).toBe(401)
    expect(none.headers.get('www-authenticate')).toBe('Bearer')
    expect(await none.json()).toMatchObject({ code: 'unauthorized', error: expect.any(String) })
    const wrong = await call(guarded, 'GET', '/v1/jobs', `${reader.secret.slice(0, -1)}!`)
    expect(wrong.status).toBe(401)
    expect(wrong.headers.get('www-authenticate')).toContain('invalid_token')
    const basic = await fetch(`${guarded.url}/v1/jobs`, { headers: { authorization: 'Basic YTpi' } })
    expect(basic.status).toBe(401)
  })

  test('nothing below /v1 answers without a key, whatever there is', async () => {
    for (const [method, path] of [
      ['GET', '/v1/definitions'],
      ['POST', '/v1/jobs'],
      ['GET', '/v1/nothing/here'],
      ['DELETE', '/v1/videos/uploads/x'],
      ['GET', '/metrics'],
      ['GET', '/v1'],
      ['GET', '/V1/jobs'],
      ['GET', '//v1/jobs'],
      ['GET', '/v1//jobs'],
      ['GET', '/%76%31/jobs'],
    ] as const) {
      expect([401, 404], `${method} ${path}`).toContain((await call(guarded, method, path)).status)
    }
  })

  test('health is for everybody', async () => {
    expect((await call(guarded, 'GET', '/healthz')).status).toBe(200)
    expect((await call(guarded, 'GET', '/readyz')).status).toBe(200)
  })

  test.each([
    ['reader', 'GET', '/v1/definitions', 200],
    ['reader', 'POST', '/v1/jobs', 403],
    ['writer', 'GET', '/v1/definitions', 403],
    ['writer', 'POST', '/v1/jobs', 400],
    ['writer', 'POST', '/v1/queues/default/pause', 403],
    ['admin', 'GET', '/v1/definitions', 200],
    ['admin', 'POST', '/v1/jobs', 400],
    ['admin', 'POST', '/v1/queues/default/pause', 200],
  ] as const)('%s: %s %s answers %i', async (who, method, path, status) => {
    const { secret } = { reader, writer, admin }[who]
    const answer = await call(guarded, method, path, secret, method === 'POST' ? {} : undefined)
    expect(answer.status).toBe(status)
    if (status === 403) expect(answer.headers.get('www-authenticate')).toContain('insufficient_scope')
  })

  test('only hashes are kept, and neither the log nor the list shows a secret', async () => {
    const rows = await server.database.sql`select * from job_server.api_keys`
    expect(JSON.stringify(rows)).not.toContain(admin.secret.slice(12))
    const { output } = await keys(url, 'list')
    expect(output).toMatch(new RegExp(`^${reader.id} +reader +jsk_\\S{6} +read +valid +used \\S+$`, 'm'))
    expect(output).not.toContain(admin.secret)
    expect(guarded.api.lastLines).toContain('request.answered')
    expect(guarded.api.lastLines).not.toContain('jsk_')
  })

  test('a revoked key is refused within seconds, and a running API knows', async () => {
    const brief = await makeKey(server.database, 'brief')
    expect((await call(guarded, 'GET', '/v1/jobs', brief.secret)).status).toBe(200)
    expect((await keys(url, 'revoke', brief.id)).status).toBe(0)
    await until(
      'the key to be refused',
      async () => (await call(guarded, 'GET', '/v1/jobs', brief.secret)).status === 401,
    )
    expect((await keys(url, 'list')).output).toMatch(/ brief .* revoked /)
  })

  test('an expired key is refused', async () => {
    const { id, secret } = await makeKey(server.database, 'old', { expiresInDays: 1 })
    await server.database.sql`update job_server.api_keys set expires_at = now() where id = ${id}`
    expect((await call(guarded, 'GET', '/v1/jobs', secret)).status).toBe(401)
  })

  test('answers are kept by no cache and do nothing as a page', async () => {
    const { headers } = await call(guarded, 'GET', '/v1/jobs', admin.secret)
    expect(headers.get('cache-control')).toBe('no-store')
    expect(headers.get('content-security-policy')).toContain("default-src 'none'")
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('x-request-id')).toMatch(/\S/)
  })
})

test('an API on loopback is open to this machine until the first key is made, and never again', async () => {
  const server = await startServer({ workers: 0 })
  expect((await call(server, 'GET', '/v1/jobs')).status).toBe(200)
  const renamed = await fetch(`${server.url}/v1/jobs`, { headers: { host: 'evil.example' } })
  expect(renamed.status, 'a name that was pointed at this machine').toBe(403)
  const { id, secret } = await newKey(server.database.url, 'first')
  await until('keys to be needed', async () => (await call(server, 'GET', '/v1/jobs')).status === 401)
  expect((await call(server, 'GET', '/v1/jobs', secret)).status).toBe(200)
  await keys(server.database.url, 'revoke', id)
  expect((await call(server, 'GET', '/v1/jobs')).status).toBe(401)
})

test('an API that is open to all is so by the names it is given', async () => {
  const environment = { AUTH: 'none', ALLOWED_HOSTS: '127.0.0.1, jobs.example' }
  const server = await startServer({ workers: 0, environment })
  const by = async (host: string) => (await fetch(`${server.url}/v1/jobs`, { headers: { host } })).status
  expect([await by('127.0.0.1:3000'), await by('Jobs.Example'), await by('evil.example')]).toEqual([
    200, 200, 403,
  ])
})

const limits = { RATE_LIMIT_PER_SECOND: '1', RATE_LIMIT_BURST: '3' }

function inParallel(run: () => Promise<Response>): Promise<Response[]> {
  return Promise.all(Array.from({ length: 20 }, run))
}

/** What comes of requests under the limits: no more were let through than they allow for the time that it took. */
async function slowedDown(run: () => Promise<Response[]>): Promise<Response[]> {
  const startedAt = performance.now()
  const answers = await run()
  const seconds = (performance.now() - startedAt) / 1000
  const passed = answers.filter(({ status }) => status !== 429)
  expect(passed.length).toBeGreaterThan(0)
  expect(passed.length).toBeLessThanOrEqual(3 + seconds)
  expect(passed.length).toBeLessThan(answers.length)
  return answers
}

test('a key that calls too often waits, and others do not', async () => {
  const server = await startServer({ workers: 0, environment: limits })
  const hasty = await makeKey(server.database, 'hasty')
  const calm = await makeKey(server.database, 'calm')
  const answers = await slowedDown(() => inParallel(() => call(server, 'GET', '/v1/jobs', hasty.secret)))
  const refused = answers.find(({ status }) => status === 429)
  expect(refused?.headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
  expect((await call(server, 'GET', '/v1/jobs', calm.secret)).status).toBe(200)
})

test('guessing keys is slowed down by address, before the database is asked', async () => {
  const server = await startServer({ workers: 0, environment: limits })
  // One after another: those that are on their way together are let through together.
  const answers = await slowedDown(async () => {
    const guesses: Response[] = []
    for (let guess = 0; guess < 20; guess++) {
      guesses.push(await call(server, 'GET', '/v1/jobs', `jsk_${String(guess).padEnd(43, 'x')}`))
    }
    return guesses
  })
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([401, 429]))
})

test('who follows a playback link is slowed down by address, though the link is good', async () => {
  const server = await startServer({ workers: 0, environment: limits })
  const videoId = newId()
  const token = await createPlaybackTokens(server.database.sql).issue(videoId, 60)
  const path = `/v1/videos/${videoId}/playlist.m3u8?token=${token}`
  const answers = await slowedDown(() => inParallel(() => call(server, 'GET', path)))
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([404, 429]))
})

test('who asks again and again whether the API is ready costs the database nothing more', async () => {
  const server = await startServer({ workers: 0 })
  const line = await openLine(server.database.url)
  const asked = await startApi(server, { DATABASE_URL: line.url })
  const before = line.statements()
  const startedAt = performance.now()
  const statuses = new Set<number>()
  for (let time = 0; time < 100; time++) statuses.add((await call(asked, 'GET', '/readyz')).status)
  const seconds = (performance.now() - startedAt) / 1000
  expect([...statuses]).toEqual([200])
  expect(line.statements() - before).toBeLessThan(10 + 3 * seconds)
})

describe('the start on an address beyond this machine', () => {
  test('is refused while there is no key, behind proxies too', async () => {
    const database = await testDatabase()
    const api = await rawApi(database.url, { TRUSTED_PROXIES: '1' })
    expect(await api.exited).toBe(78)
    expect(api.lastLines).toMatch(/TRUSTED_PROXIES +expected 0, an API key \(bun run keys create\)/)
  })

  test('is refused while there is no key, with a sentence that says what to do', async () => {
    const database = await testDatabase()
    const api = await rawApi(database.url, { HOST: '0.0.0.0' })
    expect(await api.exited).toBe(78)
    expect(api.lastLines).toMatch(/HOST +expected a loopback address, an API key \(bun run keys create\)/)
    const { id } = await makeKey(database, 'gone')
    await keys(database.url, 'revoke', id)
    expect(await (await rawApi(database.url, { HOST: '0.0.0.0' })).exited, 'a revoked key is none').toBe(78)
  })
})

describe('the command line', () => {
  test.each([
    [['create'], /needs a NAME/],
    [['create', 'a', '--scopes', 'all'], /"all" is no scope/],
    [['create', 'a', '--expires-in-days', 'soon'], /number of days/],
    [['create', ''], /needs a NAME/],
    [['create', 'a', 'b'], /Too much: "b"/],
    [['create', 'a', '--scopes', 'read', '--scopes', 'admin'], /--scopes can be given once/],
    [['revoke'], /Which key/],
    [['revoke', newId(), 'x'], /Which key\? "x" is no ID/],
    [['revoke', newId(), '--scopes', 'read'], /--scopes says nothing to "revoke"/],
    [['list', 'all'], /Too much: "all"/],
    [['burn'], /No command "burn"/],
    [['list', '--yaml'], /yaml/],
  ])('%j is refused with what would be right', async (args, sentence) => {
    const { status, errors } = await keys('postgres://nobody@127.0.0.1:1/nothing', ...args)
    expect(status).toBe(2)
    expect(errors).toMatch(sentence)
    expect(errors).toContain('bun run keys create NAME')
  })

  test('revokes several keys, though one of them is not there', async () => {
    const { sql, url } = await testDatabase()
    const made = JSON.parse((await keys(url, 'create', 'one', '--json')).output)
    expect(await findKey(sql, made.secret)).toMatchObject({ id: made.id, name: 'one' })
    const { id: other } = await newKey(url, 'other')
    const unknown = newId()
    const { status, output, errors } = await keys(url, 'revoke', made.id, unknown, other)
    expect(status).toBe(1)
    expect(output).toMatch(
      new RegExp(`^Key ${made.id} "one" is revoked.*\\nKey ${other} "other" is revoked.*\\n$`),
    )
    expect(errors).toBe(`There is no key ${unknown}.\n`)
    const listed: { revokedAt: string | null }[] = JSON.parse((await keys(url, 'list', '--json')).output)
    expect(listed.map(({ revokedAt }) => revokedAt)).toEqual([expect.any(String), expect.any(String)])
  })
})

/** Another API over the same database and bucket. */
async function startApi(beside: TestServer, environment: Record<string, string>): Promise<TestServer> {
  const port = await anyPort()
  const api = new ChildProcess({
    name: 'guarded api',
    entry: 'api/server.ts',
    environment: {
      PATH: process.env.PATH,
      DATABASE_URL: beside.database.url,
      ...beside.bucket.environment,
      PORT: String(port),
      ...environment,
    },
  })
  await api.ready
  // Ended with the others of the server.
  beside.workers.push(api)
  return { ...beside, api, url: `http://127.0.0.1:${port}` }
}

async function rawApi(databaseUrl: string, environment: Record<string, string>): Promise<ChildProcess> {
  const bucket = await testStorage()
  return new ChildProcess({
    name: 'api',
    entry: 'api/server.ts',
    environment: {
      PATH: process.env.PATH,
      DATABASE_URL: databaseUrl,
      ...bucket.environment,
      PORT: String(await anyPort()),
      ...environment,
    },
  })
}
