/**
 * Every operation of the document against requests that were bent. FUZZ_RUNS and FUZZ_SEED make the hunt longer or
 * another; a failure prints the seed and the smallest request that shows it.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type DocumentedOperation, fuzzedRequest } from '../support/fuzz.ts'
import { testQueue } from '../support/queue.ts'
import { startServer } from '../support/server.ts'

const runs = Number(process.env.FUZZ_RUNS ?? 40)
const seed = Number(process.env.FUZZ_SEED ?? 20_300_131)
const patienceMs = 15_000

// Without AUTH=none the first key that is made here would shut the rest of the hunt out.
const environment = { LOG_LEVEL: 'error', AUTH: 'none', RATE_LIMIT_PER_SECOND: '0' }
const server = await startServer({ workers: 0, environment })
await testQueue(server.database.sql, { key: 'echo' }, { key: 'failing' }, { key: 'encode.video' })
const document = await (await fetch(`${server.url}/openapi.json`)).json()

interface Said {
  summary: string
  parameters?: DocumentedOperation['parameters']
  requestBody?: { content: Record<string, { example?: unknown }> }
  responses: Record<string, unknown>
}
const operations = Object.entries<Record<string, Said>>(document.paths).flatMap(([template, methods]) =>
  Object.entries(methods).map(([method, said]) => ({
    method: method.toUpperCase(),
    template,
    parameters: said.parameters ?? [],
    bodyExample: said.requestBody?.content['application/json']?.example,
    statuses: Object.keys(said.responses),
    // A route that says nothing of itself makes no promise of its statuses either.
    isDescribed: said.summary !== `${method.toUpperCase()} ${template.replace(/\{(\w+)\}/g, ':$1')}`,
  })),
)

const { id: queued } = await server.enqueue('echo', {}, { delaySeconds: 10_000 })
const { id: cancelled } = await server.enqueue('echo', {}, { delaySeconds: 10_000 })
await server.request('POST', `/v1/jobs/${cancelled}/cancel`)
const { uploadId } = await (
  await server.request('POST', '/v1/videos/uploads', {
    filename: 'a.mp4',
    contentType: 'video/mp4',
    sizeBytes: 1000,
  })
).json()
const ids = [queued, cancelled, uploadId, '01890a5d-ac96-774b-bcce-b302099a8057', 'default']

type Operation = (typeof operations)[number]

/** @throws with the smallest request that makes the API at `url` fail or hang, or break its word */
async function hunt(url: string, operation: Operation): Promise<void> {
  const property = fc.asyncProperty(fuzzedRequest(operation, ids), async ({ path, headers, body }) => {
    // Waiting is what it is for; who waits for a job that is queued waits.
    if (/\/wait\b/.test(path) && path.includes(queued)) return
    const response = await fetch(`${url}${path}`, {
      method: operation.method,
      headers,
      redirect: 'manual',
      signal: AbortSignal.timeout(patienceMs),
      ...(body === null ? {} : { body }),
    })
    const type = response.headers.get('content-type') ?? ''
    if (type.startsWith('text/event-stream')) {
      await response.body?.cancel()
      return
    }
    const text = await response.text()
    expect(response.status, text).toBeLessThan(500)
    expect(response.headers.has('x-injected')).toBe(false)
    if (response.status >= 400) {
      expect(type).toContain('application/problem+json')
      expect(text).not.toMatch(/\bat .*\.[jt]s:\d+:\d+|node_modules|select .+ from /)
      // A segment that is empty or holds a slash leads to another path.
      if (['not_found', 'method_not_allowed'].includes(JSON.parse(text).code)) return
    }
    if (operation.isDescribed) expect(operation.statuses, text).toContain(String(response.status))
  })
  await fc.assert(property, { numRuns: runs, seed, endOnFailure: true })
}

describe('no request makes the API fail or hang', () => {
  test.each(operations)('$method $template', async (operation) => await hunt(server.url, operation))

  test('and afterwards it is as well as before', async () => {
    expect((await server.request('GET', '/readyz')).status).toBe(200)
    expect((await server.request('GET', '/v1/jobs?limit=1')).status).toBe(200)
    expect(server.api.lastLines, 'the log of errors').not.toContain('request.failed')
  })
})

test('the hunt finds an API that stumbles over a NUL character, or says more than it should', async () => {
  const [operation] = operations.filter(({ method, template }) => `${method} ${template}` === 'POST /v1/jobs')
  if (operation === undefined) throw new Error('there is no such operation')
  using stumbling = Bun.serve({
    port: 0,
    fetch: async (request) =>
      new Response('{}', { status: (await request.text()).includes('\\u0000') ? 500 : 201 }),
  })
  await expect(hunt(stumbling.url.origin, operation)).rejects.toThrow('Counterexample')
  const trace = JSON.stringify({ code: 'bad_request', detail: 'at run (/srv/api/app.ts:10:20)' })
  using talkative = Bun.serve({
    port: 0,
    fetch: () =>
      new Response(trace, { status: 400, headers: { 'content-type': 'application/problem+json' } }),
  })
  await expect(hunt(talkative.url.origin, operation)).rejects.toThrow('Counterexample')
})
