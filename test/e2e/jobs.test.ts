import { describe, expect, test } from 'vitest'
import { newId } from '../../core/ids.ts'
import { startServer } from '../support/server.ts'

const server = await startServer()

async function post(path: string, body: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(`${server.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
  return {
    status: response.status,
    type: response.headers.get('content-type'),
    answer: await response.json(),
  }
}
const get = async (path: string) => await (await server.request('GET', path)).json()

test('a job runs in its own process and gives its result back', async () => {
  const job = await server.enqueue('echo', { message: 'hello' })
  expect(await job.reaches('succeeded')).toMatchObject({ attempts: 1, result: { message: 'hello' } })
  expect((await job.events()).map(({ eventType }) => eventType)).toEqual(['queued', 'started', 'succeeded'])
})

describe('the built-in jobs', () => {
  test.each([
    ['compute.math', { operation: 'sum', numbers: [1, 2, 3] }, { result: 6 }],
    ['compute.math', { operation: 'product', numbers: [2, 3, 4] }, { result: 24 }],
    [
      'compute.math',
      { operation: 'fibonacci', numbers: [10, 100] },
      { result: [55, '354224848179261915075'] },
    ],
    ['compute.math', { operation: 'prime', numbers: [2, 91, 97] }, { result: [true, false, true] }],
    ['process.data', { dataset: 'b\na\nb', operation: 'unique' }, { result: ['b', 'a'] }],
    ['process.data', { dataset: [3, '4', 5], operation: 'average' }, { result: 4 }],
    ['process.batch', { items: ['a', 'b', 'c'], batchSize: 2 }, { processed: 3, batches: 2 }],
  ])('%s %o', async (definitionKey, params, result) => {
    const job = await server.enqueue(definitionKey, params)
    expect((await job.reaches('succeeded')).result).toMatchObject(result)
  })

  test('call.api refuses an address of this machine', async () => {
    const job = await server.enqueue('call.api', { endpoint: `${server.url}/healthz` })
    expect(await job.reaches('failed')).toMatchObject({ attempts: 1, errorCode: 'address_not_allowed' })
  })

  test('failing is retried with backoff, and then is a dead letter that can be redriven once', async () => {
    const job = await server.enqueue('failing', {}, { maxAttempts: 2, backoff: { baseSeconds: 0 } })
    expect(await job.reaches('failed')).toMatchObject({ attempts: 2, errorCode: 'always_fails' })
    expect((await job.events()).map(({ eventType }) => eventType)).toEqual([
      'queued',
      'started',
      'retry_scheduled',
      'started',
      'failed',
    ])
    const { jobs } = await get('/v1/dlq?definitionKey=failing')
    const letter = jobs.find(({ originalJobId }: { originalJobId: string }) => originalJobId === job.id)
    expect(await get(`/v1/dlq/${letter.dlqJobId}`)).toMatchObject({
      params: {},
      idempotencyKey: null,
      attempts: 2,
    })

    const first = await server.request('POST', `/v1/dlq/${letter.dlqJobId}/retry`)
    expect(first.status).toBe(201)
    const again = await server.request('POST', `/v1/dlq/${letter.dlqJobId}/retry`, { maxAttempts: 1 })
    expect(again.status).toBe(201)
    expect((await again.json()).jobId).toBe((await first.json()).jobId)
  })
})

describe('what an enqueue is refused for', () => {
  test.each([
    ['an unknown definition', { definitionKey: 'nope' }, 404, 'definition_not_found'],
    ['an unknown version', { definitionKey: 'echo', definitionVersion: 9 }, 404, 'definition_not_found'],
    ['parameters of another kind', { definitionKey: 'echo', params: { message: 7 } }, 400, 'invalid_params'],
    ['no definition', {}, 400, 'invalid_request'],
    ['parameters that are no object', { definitionKey: 'echo', params: [] }, 400, 'invalid_request'],
    ['no attempts', { definitionKey: 'echo', maxAttempts: 0 }, 400, 'invalid_request'],
    ['a misspelt word', { definitionKey: 'echo', delaySecond: 60 }, 400, 'invalid_request'],
    [
      'two times to begin',
      { definitionKey: 'echo', delaySeconds: 5, scheduledAt: '2030-01-01T00:00:00Z' },
      400,
      'invalid_request',
    ],
    [
      'a time without a zone',
      { definitionKey: 'echo', scheduledAt: '2030-01-01T00:00:00' },
      400,
      'invalid_request',
    ],
    [
      'a wait beyond a year',
      { definitionKey: 'echo', backoff: { baseSeconds: 1e300 } },
      400,
      'invalid_request',
    ],
    ['waiting for an unknown job', { definitionKey: 'echo', dependsOn: [newId()] }, 404, 'job_not_found'],
    ['a NUL character', { definitionKey: 'echo', params: { message: 'a\0b' } }, 400, 'invalid_params'],
  ])('%s', async (_what, body, status, code) => {
    const refused = await post('/v1/jobs', body)
    expect(refused).toMatchObject({ status, type: 'application/problem+json', answer: { status, code } })
    expect(refused.answer.error).toBe(refused.answer.detail)
  })

  test('a body that is not JSON, of another type, or too large', async () => {
    const send = (body: string, type: string) =>
      fetch(`${server.url}/v1/jobs`, { method: 'POST', body, headers: { 'content-type': type } })
    expect((await send('{', 'application/json')).status).toBe(400)
    expect((await send('{}', 'text/plain')).status).toBe(415)
    expect((await send(`"${'x'.repeat(1024 ** 2)}"`, 'application/json')).status).toBe(413)
  })
})

test('100 concurrent equal requests make one job; other parameters under the key are a conflict', async () => {
  const body = { definitionKey: 'echo', params: { message: 'once' } }
  const headers = { 'idempotency-key': 'order-1' }
  const answers = await Promise.all(Array.from({ length: 100 }, () => post('/v1/jobs', body, headers)))
  expect(new Set(answers.map(({ answer }) => answer.jobId)).size).toBe(1)
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(1)
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(99)
  const other = await post('/v1/jobs', { ...body, params: { message: 'twice' } }, headers)
  expect(other).toMatchObject({ status: 409, answer: { code: 'idempotency_conflict' } })
})

test('many jobs are enqueued at once, in order, all or none', async () => {
  const jobs = [1, 2, 3].map((n) => ({ definitionKey: 'echo', params: { message: `${n}` } }))
  const { status, answer } = await post('/v1/jobs/bulk', { jobs })
  expect(status).toBe(201)
  for (const [index, { jobId }] of answer.jobs.entries()) {
    expect((await server.job(jobId).reaches('succeeded')).result).toEqual({ message: `${index + 1}` })
  }
  const { total } = await get('/v1/jobs')
  const refused = await post('/v1/jobs/bulk', { jobs: [...jobs, { definitionKey: 'nope' }] })
  expect(refused.status).toBe(404)
  expect(refused.answer.detail).toMatch(/^jobs\.3\.definitionKey: No definition "nope"/)
  const wrong = { definitionKey: 'echo', params: { message: 1 } }
  expect(await post('/v1/jobs/bulk', { jobs: [...jobs, wrong] })).toMatchObject({
    status: 400,
    answer: { details: [{ path: 'jobs.3.params.message' }] },
  })
  expect((await get('/v1/jobs')).total).toBe(total)
})

test('a delayed job says when it will run, runs soon after, and can be cancelled before', async () => {
  const soon = await server.enqueue('echo', {}, { delaySeconds: 1 })
  expect(await soon.read()).toMatchObject({ status: 'queued', scheduledAt: expect.any(String) })
  const late = await server.enqueue('echo', {}, { delaySeconds: 1000 })
  expect((await server.request('POST', `/v1/jobs/${late.id}/cancel`)).status).toBe(202)
  await late.reaches('cancelled')
  await soon.reaches('succeeded')
  expect((await server.request('POST', `/v1/jobs/${soon.id}/cancel`)).status).toBe(400)
})

test('a job that depends on another begins after it', async () => {
  const first = await server.enqueue('echo', {}, { delaySeconds: 1 })
  const second = await server.enqueue('echo', {}, { dependsOn: [first.id] })
  const { startedAt } = (await second.reaches('succeeded')) as unknown as { startedAt: string }
  const { finishedAt } = (await first.read()) as unknown as { finishedAt: string }
  expect(startedAt >= finishedAt).toBe(true)
})

test('a paused queue keeps its jobs until it goes on', async () => {
  await server.request('POST', '/v1/queues/quiet/pause')
  const job = await server.enqueue('echo', {}, { queue: 'quiet' })
  const other = await server.enqueue('echo', {})
  await other.reaches('succeeded')
  expect(await job.read()).toMatchObject({ status: 'queued' })
  expect((await get('/v1/queues')).queues).toContainEqual(
    expect.objectContaining({ name: 'quiet', ready: 1, pausedAt: expect.any(String) }),
  )
  await server.request('POST', '/v1/queues/quiet/resume')
  await job.reaches('succeeded')
})

test('the list is filtered and paged, newest first, with the number of all that match', async () => {
  const { jobs, total } = await get('/v1/jobs?status=succeeded&definitionKey=echo&limit=2&offset=1')
  expect(jobs).toHaveLength(2)
  expect(total).toBeGreaterThan(2)
  const all = (await get('/v1/jobs?status=succeeded&definitionKey=echo')).jobs
  expect(all).toHaveLength(total)
  expect(jobs).toEqual(all.slice(1, 3))
  expect([...all].sort((a, b) => (a.jobId < b.jobId ? 1 : -1))).toEqual(all)
  expect((await server.request('GET', '/v1/jobs?status=lost')).status).toBe(400)
})

test.each([
  '/v1/jobs?stauts=failed',
  `/v1/jobs/${newId()}/logs?limti=5`,
  `/v1/jobs/${newId()}/events?type=failed`,
  '/v1/events?definition=echo',
  '/v1/dlq?definition=failing',
  '/v1/schedules?enable=true',
  `/v1/schedules/${newId()}/fires?after=2030-01-01T00:00:00Z`,
  '/v1/webhooks?limti=5',
  `/v1/webhooks/${newId()}/deliveries?state=failed`,
  `/v1/webhooks/deliveries?jobId=${newId()}&status=failed`,
])('a word that a list does not know is named, not passed over: %s', async (path) => {
  const answer = await server.request('GET', path)
  expect(answer.status).toBe(400)
  const word = path.match(/(\w+)=[^&]*$/)?.[1]
  expect(await answer.json()).toMatchObject({
    code: 'invalid_request',
    detail: `Unrecognized key: "${word}"`,
  })
})

test('unknown jobs and ids that are none are told apart', async () => {
  for (const path of ['', '/events', '/logs']) {
    expect((await server.request('GET', `/v1/jobs/${newId()}${path}`)).status).toBe(404)
    expect((await server.request('GET', `/v1/jobs/not-an-id${path}`)).status).toBe(400)
  }
})

test('the definitions are listed with what they default to', async () => {
  const { definitions } = await get('/v1/definitions')
  expect(definitions.map(({ key }: { key: string }) => key).sort()).toEqual([
    'call.api',
    'compute.math',
    'echo',
    'encode.part',
    'encode.video',
    'failing',
    'process.batch',
    'process.data',
  ])
  expect(definitions[0]).toMatchObject({
    key: 'call.api',
    version: 1,
    defaultMaxAttempts: 3,
    timeoutSeconds: 120,
    concurrencyLimit: null,
  })
})
