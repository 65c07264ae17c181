/** What the API promises, whatever it runs on: one suite for all runtimes. */
import { readFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { newId } from '../../../core/ids.ts'
import { createKey } from '../../../core/keys/create.ts'
import { testClips } from '../../support/clips.ts'
import { openCollector } from '../../support/collector.ts'
import { openRaw } from '../../support/raw-request.ts'
import { type Runtime, startRuntime } from '../../support/runtimes.ts'
import { startServer } from '../../support/server.ts'
import { until } from '../../support/until.ts'
import { problemOf } from '../../support/video-client.ts'

const origin = 'https://dashboard.example'

export async function contractSuite(runtime: Runtime) {
  const server = await startServer()
  const { secret } = await createKey(server.database.sql, { name: 'contract', scopes: ['admin'] })
  const collector = openCollector()
  const api = await startRuntime(runtime, {
    ...collector.environment,
    DATABASE_URL: server.database.url,
    ...server.bucket.environment,
    CORS_ORIGINS: origin,
  })
  const clips = await testClips()
  const authorization = `Bearer ${secret}`

  const send = (method: string, path: string, init: RequestInit = {}) =>
    fetch(`${api.url}${path}`, {
      method,
      redirect: 'manual',
      ...init,
      headers: { authorization, ...(init.headers as Record<string, string>) },
    })
  const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
    send('POST', path, {
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json', ...headers },
    })
  const get = async (path: string) => await (await send('GET', path)).json()
  const enqueue = async (body: object): Promise<string> => {
    const response = await post('/v1/jobs', body)
    expect(response.status).toBe(201)
    return (await response.json()).jobId
  }
  const ended = async (jobId: string) =>
    await (await send('POST', `/v1/jobs/${jobId}/wait?timeout=50`)).json()

  test('it runs on the runtime that it is said to run on', async () => {
    const program = runtime === 'function' ? 'node' : runtime
    // The npm package of Bun calls its binary bun.exe on every system.
    expect((await api.program()).replace(/\.exe$/, '')).toBe(program)
  })

  test.each([
    ['PUT', '/v1/jobs', 'GET, HEAD, POST'],
    ['POST', '/v1/metrics/throughput', 'GET, HEAD'],
    ['PUT', `/v1/jobs/${newId()}`, 'DELETE, GET, HEAD, PATCH'],
    ['GET', `/v1/jobs/${newId()}/cancel`, 'POST'],
    ['DELETE', '/healthz', 'GET, HEAD'],
  ])('%s %s is refused with the methods that the path takes', async (method, path, allowed) => {
    const answer = await send(method, path)
    expect(answer.headers.get('allow')).toBe(allowed)
    await problemOf(answer, 405, 'method_not_allowed')
  })

  test('health, and nothing else, is for everybody', async () => {
    expect(await (await fetch(`${api.url}/healthz`)).json()).toEqual({ status: 'ok' })
    expect(await (await fetch(`${api.url}/readyz`)).json()).toEqual({ status: 'ready' })
    await problemOf(await fetch(`${api.url}/v1/jobs`), 401, 'unauthorized')
    await problemOf(await send('GET', '/v2/nothing'), 404, 'not_found')
  })

  test('an answer names the time of the server, by which the dashboard goes', async () => {
    const answer = await send('GET', '/v1/jobs?limit=1')
    expect(Math.abs(Date.parse(answer.headers.get('date') ?? '') - Date.now())).toBeLessThan(60_000)
    expect(answer.headers.get('cache-control')).toContain('no-store')
  })

  test('the dashboard comes along with its files', async () => {
    const page = await fetch(`${api.url}/jobs`)
    expect(page.headers.get('content-security-policy')).toContain("script-src 'self'")
    const [, script = ''] = /<script[^>]* src="([^"]+)"/.exec(await page.text()) ?? []
    const answer = await fetch(`${api.url}${script}`, { headers: { 'accept-encoding': 'gzip' } })
    expect(answer.headers.get('content-encoding')).toBe('gzip')
    expect(await answer.text()).toContain('Job Server')
  })

  test('every answer carries a request id, the one of the client where it sent one', async () => {
    expect((await send('GET', '/healthz')).headers.get('x-request-id')).toMatch(/\S{8,}/)
    const answer = await send('GET', '/v1/jobs/x', { headers: { 'x-request-id': 'mine-1' } })
    expect(answer.headers.get('x-request-id')).toBe('mine-1')
    expect(await answer.json()).toMatchObject({ requestId: 'mine-1' })
    await until('the line of its log', () => api.output().includes('"requestId":"mine-1"'))
  })

  test('pages of allowed origins may call, and those of others may not', async () => {
    const headers = { origin, 'access-control-request-method': 'POST' }
    const preflight = await fetch(`${api.url}/v1/jobs`, { method: 'OPTIONS', headers })
    expect(preflight.status).toBe(204)
    expect(preflight.headers.get('access-control-allow-origin')).toBe(origin)
    await problemOf(await post('/v1/jobs', {}, { origin: 'https://evil.example' }), 403, 'forbidden')
  })

  test('a stream tells a job to its end and ends with it', async () => {
    const jobId = await enqueue({ definitionKey: 'echo', delaySeconds: 1 })
    const path = `/v1/jobs/${jobId}/events`
    const stream = await send('GET', path, { headers: { accept: 'text/event-stream' } })
    expect(stream.headers.get('content-type')).toContain('text/event-stream')
    const types = [...(await stream.text()).matchAll(/"eventType":"(\w+)"/g)].map(([, type]) => type)
    expect(types).toEqual(['queued', 'started', 'succeeded'])
  })

  test('a job is enqueued, runs, and is read with its events', async () => {
    const message = 'héllo 🎬'
    const jobId = await enqueue({ definitionKey: 'echo', params: { message }, priority: -3 })
    expect(await ended(jobId)).toMatchObject({ status: 'succeeded', result: { message } })
    expect(await get(`/v1/jobs/${jobId}`)).toMatchObject({
      jobId,
      definitionKey: 'echo',
      definitionVersion: 1,
      status: 'succeeded',
      attempts: 1,
      maxAttempts: 3,
      priority: -3,
      queuedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      startedAt: expect.any(String),
      finishedAt: expect.any(String),
      heartbeatAt: expect.anything(),
      workerId: 'worker-1',
      errorSummary: null,
    })
    const { events } = await get(`/v1/jobs/${jobId}/events`)
    expect(events.map(({ eventType }: { eventType: string }) => eventType)).toEqual([
      'queued',
      'started',
      'succeeded',
    ])
    expect((await send('HEAD', `/v1/jobs/${jobId}`)).status).toBe(200)
  })

  test('a request is told to the collector of traces', async () => {
    const traceparent = `00-${'5'.repeat(32)}-${'6'.repeat(16)}-01`
    await problemOf(
      await send('GET', `/v1/jobs/${newId()}?x=1`, { headers: { traceparent } }),
      404,
      'job_not_found',
    )
    const [span] = await collector.receives('its span', ({ traceId }) => traceId === '5'.repeat(32))
    expect(span).toMatchObject({
      name: 'GET /v1/jobs/:jobId',
      parentSpanId: '6'.repeat(16),
      attributes: {
        'http.response.status_code': '404',
        'url.path': expect.stringMatching(/^\/v1\/jobs\/[\da-f-]+$/),
      },
    })
    expect(collector.problems).toEqual([])
  })

  test('an idempotency key meets the first job', async () => {
    const body = { definitionKey: 'echo', params: { message: 'a' }, idempotencyKey: newId() }
    const first = await post('/v1/jobs', body)
    const second = await post('/v1/jobs', body)
    expect([first.status, second.status]).toEqual([201, 200])
    expect((await second.json()).jobId).toBe((await first.json()).jobId)
    await problemOf(await post('/v1/jobs', { ...body, params: {} }), 409, 'idempotency_conflict')
  })

  test.each([
    ['an unknown definition', { definitionKey: 'nope' }, 404, 'definition_not_found'],
    ['wrong parameters', { definitionKey: 'echo', params: { message: 1 } }, 400, 'invalid_params'],
    ['no definition', {}, 400, 'invalid_request'],
    ['a NUL character', { definitionKey: 'ec\0ho' }, 400, 'invalid_request'],
  ])('an enqueue is refused for %s', async (_what, body, status, code) => {
    await problemOf(await post('/v1/jobs', body), status, code)
  })

  test('a body that is not JSON, of another type, or too large is refused', async () => {
    const json = { 'content-type': 'application/json' }
    await problemOf(await send('POST', '/v1/jobs', { body: '{"a":', headers: json }), 400, 'malformed_body')
    const latin1 = Buffer.from([0x22, 0xe9, 0x22])
    await problemOf(
      await send('POST', '/v1/jobs', { body: latin1, headers: json }),
      400,
      runtime === 'function' ? 'invalid_request' : 'malformed_body',
    )
    const text = { 'content-type': 'text/plain' }
    await problemOf(
      await send('POST', '/v1/jobs', { body: '{}', headers: text }),
      415,
      'unsupported_media_type',
    )
    const large = await post('/v1/jobs', { definitionKey: 'x'.repeat(1024 ** 2) })
    await problemOf(large, 413, 'body_too_large')
  })

  test('a client that goes away in the middle of its body disturbs nobody', async () => {
    const headers = { authorization, 'content-type': 'application/json', 'content-length': '1000' }
    const raw = await openRaw(api.url, '/v1/jobs', headers)
    await raw.write('{"definitionKey":')
    raw.destroy()
    await raw.answer
    expect((await send('GET', '/v1/definitions')).status).toBe(200)
  })

  test('jobs are listed with the number of all that match', async () => {
    await enqueue({ definitionKey: 'echo', delaySeconds: 1000, tags: ['listed'] })
    await enqueue({ definitionKey: 'echo', delaySeconds: 1000, tags: ['listed'] })
    const { jobs, total } = await get('/v1/jobs?status=queued&tag=listed&limit=1&offset=1')
    expect(total).toBe(2)
    expect(jobs).toMatchObject([{ status: 'queued', scheduledAt: expect.any(String) }])
    await problemOf(await send('GET', '/v1/jobs?status=lost'), 400, 'invalid_request')
    await problemOf(await send('GET', '/v1/jobs/not-an-id'), 400, 'invalid_request')
    await problemOf(await send('GET', `/v1/jobs/${newId()}`), 404, 'job_not_found')
  })

  test('a queued job is cancelled at once, a finished one not at all', async () => {
    const jobId = await enqueue({ definitionKey: 'echo', delaySeconds: 1000 })
    expect((await send('POST', `/v1/jobs/${jobId}/cancel`)).status).toBe(202)
    expect(await get(`/v1/jobs/${jobId}`)).toMatchObject({ status: 'cancelled' })
    await problemOf(await send('POST', `/v1/jobs/${jobId}/cancel`), 400, 'job_already_finished')
  })

  test('a job that fails for good is a dead letter, and retried once', async () => {
    const jobId = await enqueue({ definitionKey: 'failing', maxAttempts: 1 })
    expect(await ended(jobId)).toMatchObject({ status: 'failed', errorCode: 'always_fails' })
    const { jobs, total } = await get('/v1/dlq?definitionKey=failing')
    expect(total).toBe(1)
    expect(await get('/v1/dlq?definitionKey=failing&total=false')).toEqual({ jobs })
    expect(jobs).toMatchObject([{ originalJobId: jobId, attempts: 1, movedToDlqAt: expect.any(String) }])
    const path = `/v1/dlq/${jobs[0].dlqJobId}`
    expect(await get(path)).toMatchObject({ params: {}, idempotencyKey: null })
    const first = await send('POST', `${path}/retry`)
    const second = await post(`${path}/retry`, { maxAttempts: 1 })
    expect([first.status, second.status]).toEqual([201, 201])
    expect((await second.json()).jobId).toBe((await first.json()).jobId)
    await problemOf(await send('POST', `/v1/dlq/${newId()}/retry`), 404, 'dead_letter_not_found')
  })

  test('the definitions and the description of the API can be read', async () => {
    const { definitions } = await get('/v1/definitions')
    expect(definitions.map(({ key }: { key: string }) => key)).toContain('encode.video')
    expect(await get('/openapi.json')).toMatchObject({ openapi: '3.1.0' })
    expect(await (await send('GET', '/docs')).text()).toContain('<h1>Job Server API</h1>')
  })

  test('the metrics are there, with the names they always had', async () => {
    const metrics = await get('/v1/metrics')
    const { summary, performance, throughput } = metrics
    expect(Object.keys(metrics).sort()).toEqual(
      expect.arrayContaining(['performance', 'summary', 'throughput']),
    )
    expect(summary).toMatchObject({ total: expect.any(Number), byStatus: expect.any(Object) })
    for (const status of ['queued', 'running', 'succeeded', 'failed', 'cancelling', 'cancelled']) {
      expect(summary.byStatus[status], status).toEqual(expect.any(Number))
    }
    for (const name of ['successRate', 'avgProcessingTime', 'avgQueueTime', 'retryRate']) {
      expect(performance, name).toHaveProperty(name)
    }
    expect(throughput).toMatchObject({
      lastHour: expect.any(Number),
      lastDay: expect.any(Number),
      lastWeek: expect.any(Number),
    })
    expect((await get('/v1/metrics/definitions')).definitions).toEqual(expect.any(Array))
    expect((await get('/v1/metrics/throughput?hours=3')).data).toHaveLength(3)
    expect(await get('/v1/metrics/performance')).toHaveProperty('successRate')
    await problemOf(await send('GET', '/v1/metrics/throughput?hours=169'), 400, 'invalid_request')
    expect(await (await send('GET', '/metrics')).text()).toContain('# TYPE ')
  })

  describe('a video', async () => {
    const path = await clips.make({ name: 'clip.mp4', seconds: 1 })
    const clip = new Blob([await readFile(path)], { type: 'video/mp4' })

    test('is encoded from a form and downloaded, by redirect or through the API, whole or in part', async () => {
      const form = new FormData()
      form.set('quality', '720p')
      form.set('video', clip, 'été 1.mov')
      const sent = await send('POST', '/v1/videos/encode', { body: form })
      expect(sent.status).toBe(201)
      const { jobId } = await sent.json()
      expect(await ended(jobId)).toMatchObject({ status: 'succeeded' })
      expect(await get(`/v1/videos/${jobId}/status`)).toMatchObject({
        jobId,
        status: 'succeeded',
        definitionKey: 'encode.video',
        outputFilename: 'été 1-720p.mp4',
        downloadUrl: `/v1/videos/${jobId}/download`,
      })
      const redirect = await send('GET', `/v1/videos/${jobId}/download`)
      expect(redirect.status).toBe(302)
      const stored = await (await fetch(redirect.headers.get('location') ?? '')).bytes()
      const direct = await send('GET', `/v1/videos/${jobId}/download?redirect=false`)
      expect(direct.headers.get('content-disposition')).toContain(
        "filename*=UTF-8''%C3%A9t%C3%A9%201-720p.mp4",
      )
      expect(Buffer.from(await direct.bytes()).equals(Buffer.from(stored)), 'the same bytes').toBe(true)
      const range = { range: 'bytes=4-7' }
      const part = await send('GET', `/v1/videos/${jobId}/download?redirect=false`, { headers: range })
      expect(part.status).toBe(206)
      expect(await part.text()).toBe('ftyp')
    })

    test('is encoded from where a presigned link took it', async () => {
      const opened = await post('/v1/videos/uploads', {
        filename: 'clip.mp4',
        contentType: 'video/mp4',
        sizeBytes: clip.size,
      })
      expect(opened.status).toBe(201)
      const { uploadId, url, headers } = await opened.json()
      expect((await fetch(url, { method: 'PUT', body: clip, headers })).status).toBe(200)
      const completed = await send('POST', `/v1/videos/uploads/${uploadId}/complete`)
      expect(await completed.json()).toMatchObject({ status: 'completed' })
      const encode = await post('/v1/videos/encode', { uploadId, quality: '720p' })
      expect(encode.status).toBe(201)
      expect(await ended((await encode.json()).jobId)).toMatchObject({ status: 'succeeded' })
    })

    test('is refused when it is none, or not there', async () => {
      const form = new FormData()
      form.set('quality', '720p')
      await problemOf(await send('POST', '/v1/videos/encode', { body: form }), 400, 'video_missing')
      form.set('video', new Blob(['dear diary']), 'notes.mp4')
      await problemOf(await send('POST', '/v1/videos/encode', { body: form }), 400, 'invalid_media')
      await problemOf(await send('GET', `/v1/videos/${newId()}/download`), 404, 'job_not_found')
    })
  })

  return { api, send }
}
