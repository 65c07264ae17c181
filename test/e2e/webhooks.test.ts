/** Webhooks end to end: an endpoint on loopback gets signed messages, and is tried again as it deserves. */
import { describe, expect, test } from 'vitest'
import { newId } from '../../core/ids.ts'
import { newSecret } from '../../core/webhooks/signature.ts'
import { testReceiver, verify } from '../support/receiver.ts'
import { testSchedulers } from '../support/schedulers.ts'
import { startServer } from '../support/server.ts'
import { until } from '../support/until.ts'

const WEBHOOK_SECRET = newSecret()
const environment = {
  WEBHOOK_SECRET,
  WEBHOOK_ALLOWED_HOSTS: '127.0.0.1',
  WEBHOOK_RETRY_SECONDS: '0.1,0.1',
  WEBHOOK_TIMEOUT_SECONDS: '3',
  LOG_LEVEL: 'debug',
}
const receiver = await testReceiver({
  '/flaky': (response, _, count) => response.writeHead(count === 1 ? 500 : 200).end('thank you'),
  '/broken': (response) => response.writeHead(500).end('x'.repeat(5000)),
  '/gone': (response) => response.writeHead(410).end(),
  '/gone-too': (response) => response.writeHead(410).end(),
  '/hangs': () => {},
  '/closes': (response) => response.destroy(),
  '/redirects': (response) => response.writeHead(307, { location: '/landed' }).end(),
  '/inward': (response) => response.writeHead(302, { location: 'http://169.254.169.254/' }).end(),
  '/busy': (response, _, count) =>
    count === 1 ? response.writeHead(429, { 'retry-after': '3' }).end() : response.writeHead(204).end(),
  '/flood': (response) => {
    response.writeHead(200)
    const chunk = Buffer.alloc(1024 ** 2, 'x')
    let left = 100
    const write = () => {
      while (left-- > 0) if (!response.write(chunk)) return response.once('drain', write)
      response.end()
    }
    write()
  },
  '/drips': (response) => {
    response.writeHead(200)
    response.write('first')
  },
})
const lines: string[] = []
const server = await startServer({ environment, onLine: (line) => lines.push(line) })
const schedulers = testSchedulers(server.database.url, environment)
await schedulers.start()

interface Made {
  webhookId: string
  secret: string
}

async function make(path: string, settings: object = {}): Promise<Made> {
  // Each test listens to jobs of its own.
  const response = await server.request('POST', '/v1/webhooks', {
    url: receiver.url(path),
    tag: path,
    ...settings,
  })
  expect(response.status, await response.clone().text()).toBe(201)
  return await response.json()
}

async function read(path: string) {
  const response = await server.request('GET', path)
  expect(response.status).toBe(200)
  return await response.json()
}

/** The newest delivery of a webhook, once it has that status. */
async function delivery({ webhookId }: Made, status: string) {
  let last: unknown
  const found = until(`the delivery to be ${status}`, async () => {
    const { deliveries } = await read(`/v1/webhooks/${webhookId}/deliveries`)
    last = deliveries[0]
    return deliveries[0]?.status === status && deliveries[0]
  })
  return await found.catch((cause: Error) => {
    throw new Error(`${cause.message}, which is now ${JSON.stringify(last)}`)
  })
}

test.concurrent('an endpoint is told of the end of a job, signed so that the public library verifies it', async () => {
  const webhook = await make('/plain')
  const job = await server.enqueue(
    'echo',
    { message: 'hi' },
    { tags: ['/plain', 'x'], metadata: { order: 7 } },
  )
  const [message] = await receiver.gets('/plain', 1)
  if (message === undefined) throw new Error('no message')
  const told = await job.reaches('succeeded')
  expect(verify(message, webhook.secret)).toEqual({
    type: 'job.succeeded',
    timestamp: expect.stringMatching(/^20.*Z$/),
    data: {
      jobId: job.id,
      definitionKey: 'echo',
      definitionVersion: 1,
      queue: 'default',
      status: 'succeeded',
      attempts: 1,
      maxAttempts: 3,
      queuedAt: expect.any(String),
      startedAt: expect.any(String),
      finishedAt: (told as unknown as { finishedAt: string }).finishedAt,
      parentId: null,
      tags: ['/plain', 'x'],
      metadata: { order: 7 },
      errorCode: null,
      errorSummary: null,
      result: { message: 'hi' },
      resultOmitted: false,
      url: `/v1/jobs/${job.id}`,
    },
  })
  expect(message.headers['content-type']).toBe('application/json')
  expect(() => verify(message, newSecret()), 'by another secret').toThrow()
  expect(() => verify({ ...message, body: `${message.body} ` }, webhook.secret), 'changed').toThrow()
  expect(await delivery(webhook, 'delivered')).toMatchObject({
    jobId: job.id,
    eventType: 'job.succeeded',
    attempts: 1,
    errorCode: null,
    nextAttemptAt: null,
    lastAnswer: { responseStatus: 204, responseBody: '', attempt: 1 },
  })
})

test.concurrent('a failed attempt is repeated with the same id and body, signed anew', async () => {
  const webhook = await make('/flaky', { eventTypes: ['job.failed'] })
  await server.enqueue('failing', {}, { tags: ['/flaky'], maxAttempts: 1 })
  const [first, second] = await receiver.gets('/flaky', 2)
  if (first === undefined || second === undefined) throw new Error('no messages')
  expect(verify(second, webhook.secret)).toMatchObject({
    type: 'job.failed',
    data: { status: 'failed', errorCode: 'always_fails', errorSummary: expect.any(String) },
  })
  expect(second.body).toBe(first.body)
  expect(second.headers['webhook-id']).toBe(first.headers['webhook-id'])
  const { deliveryId } = await delivery(webhook, 'delivered')
  const whole = await read(`/v1/webhooks/${webhook.webhookId}/deliveries/${deliveryId}`)
  expect(whole).toMatchObject({
    body: JSON.parse(first.body),
    attemptHistory: [
      { attempt: 1, outcome: 'threw', errorCode: 'endpoint_failed', answer: { responseStatus: 500 } },
      { attempt: 2, outcome: 'succeeded', answer: { responseStatus: 200, responseBody: 'thank you' } },
    ],
  })
})

describe.concurrent('what is no success', () => {
  test.each([
    ['/broken', 'endpoint_failed', 'The endpoint answered 500.', 3],
    ['/hangs', 'unreachable', expect.stringContaining('could not be reached'), 3],
    ['/closes', 'unreachable', expect.stringContaining('could not be reached'), 3],
    ['/redirects', 'endpoint_failed', expect.stringContaining('redirects are not followed'), 3],
    ['/inward', 'endpoint_failed', expect.stringContaining('redirects are not followed'), 3],
    ['/gone', 'endpoint_gone', expect.stringContaining('410'), 1],
  ])('an endpoint at %s fails after its attempts as %s', async (path, errorCode, errorSummary, attempts) => {
    const webhook = await make(path)
    await server.enqueue('echo', {}, { tags: [path] })
    expect(await delivery(webhook, 'failed')).toMatchObject({ errorCode, errorSummary, attempts })
    expect(receiver.at(path)).toHaveLength(attempts)
    expect(receiver.at('/landed')).toEqual([])
  })
})

describe.concurrent('an answer that does not end', () => {
  test.each([
    ['/flood', /^x{1024}$/],
    ['/drips', /^first$/],
  ])('%s counts by its status, and its first bytes are kept', async (path, responseBody) => {
    const webhook = await make(path)
    await server.enqueue('echo', {}, { tags: [path] })
    expect(await delivery(webhook, 'delivered')).toMatchObject({
      lastAnswer: { responseStatus: 200, responseBody: expect.stringMatching(responseBody) },
    })
  })
})

test.concurrent('an endpoint that asks for patience gets it', async () => {
  const webhook = await make('/busy')
  await server.enqueue('echo', {}, { tags: ['/busy'] })
  await receiver.gets('/busy', 2)
  const { deliveryId } = await delivery(webhook, 'delivered')
  const { attemptHistory } = await read(`/v1/webhooks/${webhook.webhookId}/deliveries/${deliveryId}`)
  const [first, second] = attemptHistory
  // On the database's clock, and never earlier, however busy the machine is.
  expect(Date.parse(second.startedAt) - Date.parse(first.endedAt)).toBeGreaterThanOrEqual(2990)
})

test.concurrent('an endpoint that is gone is disabled, says why, and can be enabled again', async () => {
  const webhook = await make('/gone-too')
  await server.enqueue('echo', {}, { tags: ['/gone-too'] })
  const path = `/v1/webhooks/${webhook.webhookId}`
  const disabled = await until('the webhook to be disabled', async () => {
    const answer = await read(path)
    return !answer.enabled && answer
  })
  expect(disabled).toMatchObject({ disabledReason: 'gone', disabledAt: expect.any(String), failures: 1 })
  for (const action of [
    `${path}/test`,
    `${path}/deliveries/${(await delivery(webhook, 'failed')).deliveryId}/redeliver`,
  ]) {
    const refused = await server.request('POST', action)
    expect(await refused.json()).toMatchObject({ status: 409, code: 'webhook_disabled' })
  }
  const enabled = await (await server.request('PATCH', path, { enabled: true })).json()
  expect(enabled).toMatchObject({
    enabled: true,
    disabledReason: null,
    disabledAt: null,
    failures: 0,
    failingSince: null,
  })
})

test.concurrent('a rotated secret signs beside the new one for a while, or no more', async () => {
  const webhook = await make('/rotated')
  const path = `/v1/webhooks/${webhook.webhookId}`
  const rotate = async (body?: object) =>
    (await (await server.request('POST', `${path}/rotate-secret`, body)).json()).secret as string
  const second = await rotate()
  expect((await server.request('POST', `${path}/test`)).status).toBe(202)
  const [message] = await receiver.gets('/rotated', 1)
  if (message === undefined) throw new Error('no message')
  expect(message.headers['webhook-signature']?.split(' ')).toHaveLength(2)
  for (const secret of [webhook.secret, second]) {
    expect(verify(message, secret)).toMatchObject({
      type: 'webhook.test',
      data: { webhookId: webhook.webhookId },
    })
  }
  const third = await rotate({ overlapSeconds: 0 })
  await server.request('POST', `${path}/test`)
  const [, later] = await receiver.gets('/rotated', 2)
  if (later === undefined) throw new Error('no message')
  expect(verify(later, third)).toBeTruthy()
  for (const secret of [webhook.secret, second]) expect(() => verify(later, secret)).toThrow()
})

test.concurrent('a delivery is sent again as a new one with the same message', async () => {
  const webhook = await make('/again')
  await server.enqueue('echo', {}, { tags: ['/again'] })
  const { deliveryId } = await delivery(webhook, 'delivered')
  const deliveries = `/v1/webhooks/${webhook.webhookId}/deliveries`
  const again = await (await server.request('POST', `${deliveries}/${deliveryId}/redeliver`)).json()
  const [first, second] = await receiver.gets('/again', 2)
  expect(second?.body).toBe(first?.body)
  expect(second?.headers['webhook-id']).toBe(first?.headers['webhook-id'])
  const page = await read(`${deliveries}?limit=1`)
  expect(page.deliveries).toMatchObject([{ deliveryId: again.deliveryId, redeliveryOf: deliveryId }])
  const rest = await read(`${deliveries}?limit=1&cursor=${page.nextCursor}`)
  expect(rest).toMatchObject({ deliveries: [{ deliveryId, redeliveryOf: null }], nextCursor: null })
})

test.concurrent('a webhook listens to what it names: types, definition, queue and tag', async () => {
  const webhook = await make('/narrow', {
    eventTypes: ['job.started', 'job.retry_scheduled', 'job.failed'],
    definitionKey: 'failing',
    queue: 'narrow',
  })
  const tags = ['/narrow']
  await server.enqueue('failing', {}, { tags, maxAttempts: 1 })
  await server.enqueue('echo', {}, { tags, queue: 'narrow' })
  await server.enqueue('failing', {}, { queue: 'narrow', maxAttempts: 1 })
  const backoff = { baseSeconds: 0, maxSeconds: 0 }
  const job = await server.enqueue('failing', {}, { tags, queue: 'narrow', maxAttempts: 2, backoff })
  const messages = await receiver.gets('/narrow', 4)
  const told = messages.map(
    (message) =>
      verify(message, webhook.secret) as { type: string; data: { jobId: string; attempts: number } },
  )
  expect(new Set(told.map(({ data }) => data.jobId))).toEqual(new Set([job.id]))
  expect(told.map(({ type, data }) => `${type} ${data.attempts}`).sort()).toEqual([
    'job.failed 2',
    'job.retry_scheduled 1',
    'job.started 1',
    'job.started 2',
  ])
})

describe.concurrent('the address that a job brings', () => {
  test('is told of its end, signed by the secret of the server', async () => {
    const webhookUrl = receiver.url('/own')
    const job = await server.enqueue('echo', {}, { webhookUrl })
    const [message] = await receiver.gets('/own', 1)
    if (message === undefined) throw new Error('no message')
    expect(verify(message, WEBHOOK_SECRET)).toMatchObject({ type: 'job.succeeded', data: { jobId: job.id } })
    expect(await read(`/v1/jobs/${job.id}`)).toMatchObject({ webhookUrl })
    await until('the delivery to be told as such', async () => {
      const { deliveries } = await read(`/v1/webhooks/deliveries?jobId=${job.id}`)
      return deliveries[0]?.status === 'delivered' && deliveries[0].webhookId === null
    })
  })

  test('comes along when the job is retried, out of the dead letters too', async () => {
    const webhookUrl = receiver.url('/retried')
    const failed = await server.enqueue('failing', {}, { webhookUrl, maxAttempts: 1 })
    await failed.reaches('failed')
    const { jobId } = await (await server.request('POST', `/v1/jobs/${failed.id}/retry`)).json()
    const succeeded = await server.enqueue('echo', {}, { webhookUrl })
    await succeeded.reaches('succeeded')
    const again = await (await server.request('POST', `/v1/jobs/${succeeded.id}/retry`)).json()
    const messages = await receiver.gets('/retried', 4)
    expect(new Set(messages.map(({ body }) => JSON.parse(body).data.jobId))).toEqual(
      new Set([failed.id, jobId, succeeded.id, again.jobId]),
    )
  })

  test('is refused where nothing could be sent to it, in its place of a bulk too', async () => {
    const refused = await server.request('POST', '/v1/jobs/bulk', {
      jobs: [{ definitionKey: 'echo' }, { definitionKey: 'echo', webhookUrl: 'http://10.0.0.1/' }],
    })
    expect(await refused.json()).toMatchObject({
      status: 400,
      code: 'invalid_webhook',
      details: [{ path: 'jobs.1.webhookUrl' }],
    })
  })
})

describe('an address is refused when a webhook is made or changed', () => {
  test.each([
    'ftp://example.com/',
    'file:///etc/passwd',
    'example.com',
    'http://user:secret@example.com/',
    'http://10.0.0.1/',
    'http://2130706434/',
    'http://0177.0.0.2/',
    'http://0x7f000002/',
    'http://[::1]/',
    'http://[::ffff:10.0.0.1]/',
    'http://[fd00::1]/',
    'http://169.254.169.254/latest/meta-data',
  ])('%s', async (url) => {
    const { webhookId } = await make('/checked')
    for (const [method, path] of [
      ['POST', '/v1/webhooks'],
      ['PATCH', `/v1/webhooks/${webhookId}`],
    ] as const) {
      const refused = await server.request(method, path, { url })
      expect(await refused.json()).toMatchObject({
        status: 400,
        code: 'invalid_webhook',
        details: [{ path: 'url' }],
      })
    }
  })
})

test('what is on the way to a webhook that is disabled or removed is cancelled', async () => {
  const pausing = await server.request('POST', '/v1/queues/webhooks/pause')
  expect(pausing.status).toBe(200)
  const [disabled, removed] = [await make('/off', { tag: 'off' }), await make('/off', { tag: 'off' })]
  await server.enqueue('echo', {}, { tags: ['off'] })
  const { jobId } = await delivery(disabled, 'pending')
  await delivery(removed, 'pending')
  const waiting = async () => {
    const tags = [disabled, removed].map(({ webhookId }) => `webhook:${webhookId}`)
    return (await server.database.sql`select from job_server.jobs where tags && ${tags}`).length
  }
  expect(await waiting()).toBe(2)
  await server.request('PATCH', `/v1/webhooks/${disabled.webhookId}`, { enabled: false })
  expect((await server.request('DELETE', `/v1/webhooks/${removed.webhookId}`)).status).toBe(204)
  expect(await waiting()).toBe(0)
  await server.request('POST', '/v1/queues/webhooks/resume')
  expect(await delivery(disabled, 'cancelled')).toMatchObject({ jobId, attempts: 0 })
  expect(await read(`/v1/webhooks/${disabled.webhookId}`)).toMatchObject({ disabledReason: 'requested' })
  expect((await server.request('GET', `/v1/webhooks/${removed.webhookId}`)).status).toBe(404)
  expect(receiver.at('/off')).toEqual([])
})

test('jobs of our own can not be enqueued, and are shown to who asks for them alone', async () => {
  const refused = await server.request('POST', '/v1/jobs', {
    definitionKey: 'webhook.deliver',
    params: { deliveryId: newId() },
  })
  expect(await refused.json()).toMatchObject({ status: 404, code: 'definition_not_found' })
  const keys = ({ jobs }: { jobs: { definitionKey: string }[] }) =>
    jobs.map(({ definitionKey }) => definitionKey)
  expect(keys(await read('/v1/jobs?queue=webhooks&limit=1000'))).toContain('webhook.deliver')
  expect(keys(await read('/v1/jobs?limit=1000'))).not.toContain('webhook.deliver')
  expect(keys(await read('/v1/dlq?limit=1000'))).not.toContain('webhook.deliver')
  const { definitions } = await read('/v1/definitions')
  expect(definitions.map(({ key }: { key: string }) => key)).not.toContain('webhook.deliver')
  const metrics = await read('/v1/metrics/definitions')
  expect(keys({ jobs: metrics.definitions })).not.toContain('webhook.deliver')
})

test('a secret is in no answer after its first, no parameter, no row that is told of and no line of a log', async () => {
  const webhook = await make('/secret')
  await server.enqueue('echo', {}, { tags: ['/secret'] })
  const { deliveryId } = await delivery(webhook, 'delivered')
  const path = `/v1/webhooks/${webhook.webhookId}`
  const { jobs } = await read('/v1/jobs?queue=webhooks&limit=1000')
  const shown = [
    await read('/v1/webhooks'),
    await read(path),
    await (await server.request('PATCH', path, { description: 'x' })).json(),
    await read(`${path}/deliveries`),
    await read(`${path}/deliveries/${deliveryId}`),
    ...(await Promise.all(jobs.map(({ jobId }: { jobId: string }) => read(`/v1/jobs/${jobId}`)))),
  ]
  const { sql } = server.database
  const stored = [
    ...(await sql`select * from job_server.jobs`),
    ...(await sql`select * from job_server.job_history`),
    ...(await sql`select * from job_server.events`),
    ...(await sql`select * from job_server.logs`),
    ...(await sql`select * from job_server.attempts`),
    ...(await sql`select * from job_server.webhook_deliveries`),
  ]
  const logged = [...lines, ...schedulers.all.map(({ lastLines }) => lastLines)]
  // Of all that this file did.
  expect(lines.filter((line) => line.includes('attempt.ended')).length).toBeGreaterThan(1)
  for (const secret of [webhook.secret, WEBHOOK_SECRET]) {
    const key = secret.slice('whsec_'.length)
    for (const seen of [...shown, ...stored, ...logged]) expect(JSON.stringify(seen)).not.toContain(key)
  }
  expect(JSON.stringify(stored), 'a signature').not.toMatch(/v1,[A-Za-z0-9+/]{40}/)
})
