/** The document that the API gives of itself, and the client that is typed by it. */
import { Validator } from '@seriousme/openapi-schema-validator'
import { createApiClient } from 'job-server/api-client'
import { describe, expect, test } from 'vitest'
import { newId } from '../../core/ids.ts'
import { startServer } from '../support/server.ts'

interface Documented {
  operationId: string
  summary: string
  security?: unknown[]
  parameters?: { name: string; in: string; schema: Record<string, unknown> }[]
  requestBody?: { required: boolean; content: Record<string, { schema: unknown; example?: unknown }> }
  responses: Record<string, { content?: Record<string, { schema?: unknown; example?: unknown }> }>
}

const server = await startServer()
const document = await (await fetch(`${server.url}/openapi.json`)).json()
const operations = Object.entries<Record<string, Documented>>(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({
    name: `${method.toUpperCase()} ${path}`,
    operation,
  })),
)

test('the document is valid OpenAPI 3.1 by a validator that is not ours', async () => {
  const validator = new Validator()
  const outcome = await validator.validate(document)
  expect(outcome.errors).toBeUndefined()
  expect(outcome.valid).toBe(true)
  expect(validator.version).toBe('3.1')
  const { paths: _paths, ...without } = document
  expect((await new Validator().validate({ ...without, openapi: 'x' })).valid, 'the validator').toBe(false)
})

test('it knows the routes of the contract', () => {
  const names = operations.map(({ name }) => name)
  for (const name of [
    'POST /v1/jobs',
    'GET /v1/jobs',
    'GET /v1/jobs/{jobId}',
    'GET /v1/jobs/{jobId}/events',
    'POST /v1/jobs/{jobId}/cancel',
    'POST /v1/videos/encode',
    'GET /v1/videos/{jobId}/status',
    'GET /v1/videos/{jobId}/download',
    'GET /v1/definitions',
    'GET /v1/dlq',
    'GET /v1/dlq/{dlqJobId}',
    'POST /v1/dlq/{dlqJobId}/retry',
  ]) {
    expect(names).toContain(name)
  }
  expect(new Set(operations.map(({ operation }) => operation.operationId)).size).toBe(operations.length)
})

test('every route says of itself what it is for', () => {
  const silent = operations.filter(({ name, operation }) => {
    return operation.summary === name.replace(/\{(\w+)\}/g, ':$1')
  })
  expect(silent.map(({ name }) => name)).toEqual([
    // They are the description.
    'GET /openapi.json',
    'GET /docs',
  ])
})

test('every reference in it leads somewhere', () => {
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)]
  expect(references.length).toBeGreaterThan(10)
  for (const [, name = ''] of references) expect(Object.keys(document.components.schemas)).toContain(name)
})

describe('an operation has an example, and it is what the API itself would take and give', async () => {
  const { default: Ajv } = await import('ajv/dist/2020.js')
  const { default: addFormats } = await import('ajv-formats')
  const ajv = new Ajv({ strict: false, allErrors: true })
  addFormats(ajv)
  ajv.addSchema({ $id: 'https://test/', components: document.components })
  const problems = (schema: unknown, value: unknown) => {
    const text = JSON.stringify(schema).replaceAll('"#/components/', '"https://test/#/components/')
    const validate = ajv.compile(JSON.parse(text))
    return validate(value) ? [] : validate.errors
  }

  test.each(operations)('$name', ({ operation }) => {
    const shown = [operation.requestBody, ...Object.values(operation.responses)].flatMap((holder) =>
      Object.values(holder?.content ?? {}).filter(({ example }) => example !== undefined),
    )
    const withoutJson = Object.values(operation.responses).every(
      ({ content }) => content?.['application/json'] === undefined,
    )
    expect(shown.length > 0 || withoutJson, 'an example').toBe(true)
    for (const { schema, example } of shown) expect(problems(schema, example)).toEqual([])
  })

  test('real answers are what the document says', async () => {
    const job = await server.enqueue('echo', { message: 'x' }, { tags: ['a'], metadata: { b: 1 } })
    await job.reaches('succeeded')
    const failed = await server.enqueue('failing', {}, { maxAttempts: 1 })
    await failed.reaches('failed')
    const { jobs } = await (await server.request('GET', '/v1/dlq')).json()
    const daily = { name: 'daily', definitionKey: 'echo', expression: '@daily' }
    const { scheduleId } = await (await server.request('POST', '/v1/schedules', daily)).json()
    await server.request('POST', `/v1/schedules/${scheduleId}/run-now`)
    const endpoint = { url: 'https://hooks.invalid/' }
    const { webhookId } = await (await server.request('POST', '/v1/webhooks', endpoint)).json()
    const tried = await server.request('POST', `/v1/webhooks/${webhookId}/test`)
    const { deliveryId } = await tried.json()
    for (const [template, path] of [
      ['/v1/jobs', '/v1/jobs'],
      ['/v1/jobs/{jobId}', `/v1/jobs/${job.id}`],
      ['/v1/jobs/{jobId}', `/v1/jobs/${failed.id}`],
      ['/v1/jobs/{jobId}/logs', `/v1/jobs/${job.id}/logs`],
      ['/v1/jobs/{jobId}/events', `/v1/jobs/${job.id}/events`],
      ['/v1/metrics', '/v1/metrics'],
      ['/v1/metrics/definitions', '/v1/metrics/definitions'],
      ['/v1/metrics/throughput', '/v1/metrics/throughput'],
      ['/v1/metrics/performance', '/v1/metrics/performance'],
      ['/v1/schedules', '/v1/schedules'],
      ['/v1/workers', '/v1/workers'],
      ['/v1/definitions', '/v1/definitions'],
      ['/v1/queues', '/v1/queues'],
      ['/v1/dlq', '/v1/dlq'],
      ['/v1/dlq/{dlqJobId}', `/v1/dlq/${jobs[0].dlqJobId}`],
      ['/v1/schedules', '/v1/schedules'],
      ['/v1/schedules/{scheduleId}', `/v1/schedules/${scheduleId}`],
      ['/v1/schedules/{scheduleId}/next', `/v1/schedules/${scheduleId}/next`],
      ['/v1/schedules/{scheduleId}/fires', `/v1/schedules/${scheduleId}/fires`],
      ['/v1/schedules/preview', '/v1/schedules/preview?expression=@daily'],
      ['/v1/workers', '/v1/workers'],
      ['/v1/webhooks', '/v1/webhooks'],
      ['/v1/webhooks/{webhookId}', `/v1/webhooks/${webhookId}`],
      ['/v1/webhooks/{webhookId}/deliveries', `/v1/webhooks/${webhookId}/deliveries`],
      [
        '/v1/webhooks/{webhookId}/deliveries/{deliveryId}',
        `/v1/webhooks/${webhookId}/deliveries/${deliveryId}`,
      ],
      ['/v1/webhooks/deliveries', `/v1/webhooks/deliveries?jobId=${job.id}`],
      ['/healthz', '/healthz'],
      ['/v1/jobs/{jobId}', `/v1/jobs/${newId()}`],
      ['/v1/jobs/{jobId}', '/v1/jobs/x'],
    ] as const) {
      const answer = await server.request('GET', path)
      const [type = ''] = (answer.headers.get('content-type') ?? '').split(';')
      const said = document.paths[template].get.responses[answer.status].content[type].schema
      expect(problems(said, await answer.json()), path).toEqual([])
    }
  })
})

test('what is guarded says so, and what is not does not', () => {
  for (const { name, operation } of operations) {
    expect(operation.security !== undefined, name).toBe(/ \/(v1|metrics)(\/|$)/.test(name))
  }
})

test('the reference page shows every operation, runs no script and asks no other host', async () => {
  const response = await fetch(`${server.url}/docs`)
  expect(response.headers.get('content-type')).toContain('text/html')
  expect(response.headers.get('content-security-policy')).toContain("default-src 'none'")
  const page = await response.text()
  for (const { operation } of operations) expect(page).toContain(`id="${operation.operationId}"`)
  expect(page).not.toMatch(/<script|<link|<img|src=|@import|url\(|href="(?!#|\/openapi\.json")/)
})

test('the typed client speaks the API', async () => {
  const api = createApiClient(server.url)
  const enqueued = await api.v1.jobs.$post({ json: { definitionKey: 'echo', params: { message: 'typed' } } })
  expect(enqueued.status).toBe(201)
  const { jobId } = await enqueued.json()
  const waited = await api.v1.jobs[':jobId'].wait.$post({ param: { jobId }, query: { timeout: '30' } })
  const job = await waited.json()
  // Dates are text in JSON, and the type knows it.
  const finishedAt: string | null = job.finishedAt
  expect(job).toMatchObject({ status: 'succeeded', result: { message: 'typed' }, finishedAt })
  const page = await (await api.v1.jobs.$get({ query: { definitionKey: 'echo', limit: '1' } })).json()
  expect(page.jobs[0]?.jobId).toBe(jobId)
  const unknown = await api.v1.jobs[':jobId'].$get({ param: { jobId: newId() } })
  expect(unknown.status).toBe(404)
  // @ts-expect-error the definition is missing
  expect((await api.v1.jobs.$post({ json: {} })).status).toBe(400)
})
