import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import { openCollector, type ReceivedSpan } from '../support/collector.ts'
import { jobDirectory, jobFile } from '../support/job-files.ts'
import { testSchedulers } from '../support/schedulers.ts'
import { startServer } from '../support/server.ts'
import { until } from '../support/until.ts'

const traceId = '0af7651916cd43dd8448eb211c80319c'
const clientSpan = 'b7ad6b7169203331'
const traceparent = `00-${traceId}-${clientSpan}-01`
const secret = 'X-Amz-Signature'

const jobs = await jobDirectory({
  'traced.ts': jobFile({
    key: 'traced',
    more: 'maxAttempts: 2, backoff: { baseSeconds: 0 },',
    run: `(params, context) => context.span('outer', async () => {
      const [inner] = await Promise.all([
        context.span('inner', () => context.trace, { part: 1, name: 'first' }),
        context.span('beside', () => null),
      ])
      if (context.attempt === 1) context.fail('https://store.example/key?${secret}=abc', { code: 'not_yet' })
      return { inner, outer: context.trace, variable: process.env.TRACEPARENT, state: process.env.TRACESTATE }
    })`,
  }),
  'dies.ts': jobFile({
    key: 'dies',
    more: 'maxAttempts: 1,',
    run: `(params, context) => context.span('deadly', () => context.span('last', () => process.exit(3)))`,
  }),
  'phased.ts': jobFile({
    key: 'phased',
    more: 'maxAttempts: 1,',
    run: `async (params, { progress }) => {
      for (const [percent, phase] of [[0, 'reading'], [10, 'reading'], [50, 'writing'], [100, 'done']]) {
        progress({ percent, phase })
      }
      progress({ percent: 10, phase: 'once more' })
      throw new Error('not today')
    }`,
  }),
  'tells.ts': jobFile({ key: 'tells', run: '(params, { trace }) => ({ trace })' }),
})
const familyJobs = fileURLToPath(new URL('../fixtures/family-jobs', import.meta.url))

const collector = openCollector()
const traced = await startServer({ environment: { ...collector.environment, JOBS_DIR: jobs.path } })
afterAll(() => expect(collector.problems).toEqual([]))

async function post(url: string, body: object, headers: Record<string, string> = {}): Promise<string> {
  const response = await fetch(`${url}/v1/jobs`, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json', ...headers },
  })
  expect(response.status).toBe(201)
  return (await response.json()).jobId
}

/** Each span as its name below those of its parents. */
function pathsOf(spans: ReceivedSpan[]): string[] {
  const byId = new Map(spans.map((span) => [span.spanId, span]))
  const pathOf = ({ name, parentSpanId = '' }: ReceivedSpan): string => {
    const parent = byId.get(parentSpanId)
    return parent === undefined ? name : `${pathOf(parent)} > ${name}`
  }
  return spans.map(pathOf).sort()
}

describe('a job that fails once and then succeeds', async () => {
  const jobId = await post(
    traced.url,
    { definitionKey: 'traced', params: { [secret]: 'abc' } },
    { traceparent, tracestate: 'vendor=kept' },
  )
  const { result } = await traced.job(jobId).reaches('succeeded')
  const spans = await collector.receives('the whole trace', (span) => span.traceId === traceId, 12)
  const named = (name: string) => spans.filter((span) => span.name === name)

  test('is one trace: request, enqueue, waits, attempts, and what they did', () => {
    const job = 'POST /v1/jobs > enqueue traced'
    const attempt = [
      `${job} > process traced`,
      `${job} > process traced > outer`,
      `${job} > process traced > outer > beside`,
      `${job} > process traced > outer > inner`,
      `${job} > wait default`,
    ]
    expect(pathsOf(spans)).toEqual(['POST /v1/jobs', job, ...attempt, ...attempt].sort())
    expect(named('POST /v1/jobs')[0]).toMatchObject({ parentSpanId: clientSpan, kind: 2 })
    for (const span of spans) expect(span.traceState).toBe('vendor=kept')
  })

  test('each says who it was and how it went, in the words of OpenTelemetry', () => {
    const [request] = named('POST /v1/jobs')
    expect(request?.attributes).toMatchObject({
      'http.request.method': 'POST',
      'http.route': '/v1/jobs',
      'http.response.status_code': '201',
      'job_server.request_id': expect.any(String),
    })
    expect(request?.resource).toMatchObject({ 'service.name': 'job-server-api' })
    expect(named('enqueue traced')[0]).toMatchObject({
      kind: 4,
      attributes: { 'messaging.operation.type': 'send', 'messaging.message.id': jobId },
    })
    const attempts = named('process traced')
    const common = {
      'messaging.system': 'job_server',
      'messaging.destination.name': 'default',
      'messaging.message.id': jobId,
      'job_server.definition': 'traced@1',
    }
    expect(attempts).toMatchObject([
      {
        kind: 5,
        status: { code: 2 },
        resource: { 'service.name': 'job-server-worker', 'service.instance.id': 'worker-1' },
        attributes: {
          ...common,
          'job_server.attempt': '1',
          'job_server.outcome': 'threw',
          'job_server.status': 'queued',
          'error.type': 'not_yet',
        },
      },
      {
        kind: 5,
        status: {},
        attributes: { ...common, 'job_server.attempt': '2', 'job_server.status': 'succeeded' },
      },
    ])
    expect(named('inner')[0]?.attributes).toEqual({ part: '1', name: 'first' })
    expect(named('outer').map(({ attributes }) => attributes['error.type'])).toEqual(['not_yet', undefined])
  })

  test('a wait ends where its attempt begins', () => {
    for (const [index, wait] of named('wait default').entries()) {
      const attempt = named('process traced')[index]
      const gapMs = Number(BigInt(attempt?.startTimeUnixNano ?? 0) - BigInt(wait.endTimeUnixNano)) / 1e6
      expect(Math.abs(gapMs), "one clock is the database's").toBeLessThan(60_000)
    }
  })

  test('the job knows where it is, and so do the processes that it starts', () => {
    const [, inner] = named('inner')
    const [, outer] = named('outer')
    const [, attempt] = named('process traced')
    const at = (span?: ReceivedSpan) => `00-${traceId}-${span?.spanId}-01`
    expect(result).toEqual({
      inner: { traceparent: at(inner), tracestate: 'vendor=kept' },
      outer: { traceparent: at(outer), tracestate: 'vendor=kept' },
      variable: at(attempt),
      state: 'vendor=kept',
    })
  })

  test('the job names its trace to who reads it', async () => {
    expect(await (await traced.request('GET', `/v1/jobs/${jobId}`)).json()).toMatchObject({ traceId })
  })

  test('no parameter, message or link is told to the collector', () => {
    expect(collector.requests.map(({ text }) => text).join()).not.toContain(secret)
  })
})

test('the spans in which a process died are known', async () => {
  const job = await traced.enqueue('dies')
  await job.reaches('failed')
  const spans = await collector.receives(
    'what it was in',
    ({ name }) => name === 'last' || name === 'deadly',
    2,
  )
  for (const { attributes } of spans) expect(attributes['error.type']).toBe('process_exited')
})

test('the phases that a job reports are in its trace', async () => {
  const job = await traced.enqueue('phased')
  await job.reaches('failed')
  const { traceId: own } = await (await traced.request('GET', `/v1/jobs/${job.id}`)).json()
  const spans = await collector.receives('its trace', (span) => span.traceId === own, 7)
  const attempt = 'POST /v1/jobs > enqueue phased > process phased'
  const phases = pathsOf(spans).filter((path) => path.startsWith(`${attempt} > `))
  expect(phases).toEqual(['once more', 'reading', 'writing'].map((phase) => `${attempt} > ${phase}`))
  const failed = spans.filter(({ status, kind }) => status.code === 2 && kind === 1)
  expect(failed.map(({ name }) => name)).toEqual(['once more'])
})

test('a caller who does not want to be recorded is not, and the job is in its trace all the same', async () => {
  const unsampled = traceparent.replace(traceId, 'a'.repeat(32)).replace(/1$/, '0')
  const jobId = await post(traced.url, { definitionKey: 'traced', params: {} }, { traceparent: unsampled })
  const { result } = await traced.job(jobId).reaches('succeeded')
  expect(result).toMatchObject({ variable: expect.stringMatching(/^00-a{32}-[\da-f]{16}-00$/) })
  // Something that is recorded comes after it.
  const later = await traced.enqueue('tells')
  await collector.receives(
    'the later one',
    ({ attributes }) => attributes['messaging.message.id'] === later.id,
    3,
  )
  expect(collector.spans.filter((span) => span.traceId === 'a'.repeat(32))).toEqual([])
})

test('children are in the trace of the attempt that asked for them', async () => {
  const family = await startServer({ environment: { ...collector.environment, JOBS_DIR: familyJobs } })
  const job = await family.enqueue('sum.of.squares', { numbers: [1, 2] })
  await job.reaches('succeeded')
  const { traceId: own } = await (await family.request('GET', `/v1/jobs/${job.id}`)).json()
  const paths = pathsOf(await collector.receives('all of the family', (span) => span.traceId === own, 10))
  const parent = 'POST /v1/jobs > enqueue sum.of.squares'
  const children = `${parent} > process sum.of.squares > enqueue square`
  expect(paths.filter((path) => path === `${parent} > process sum.of.squares`)).toHaveLength(2)
  expect(paths.filter((path) => path === `${children} > process square`)).toHaveLength(2)
})

test('one pass of a scheduler has told of what it fired when it ends', async () => {
  const schedule = { name: 'traced tick', definitionKey: 'tells', expression: 'every 1s' }
  const { scheduleId } = await (await traced.request('POST', '/v1/schedules', schedule)).json()
  const schedulers = testSchedulers(traced.database.url, collector.environment)
  const fire = await until('a pass that fires', async () => {
    const { status, output } = await schedulers.tick()
    expect(status, output).toBe(0)
    return collector.spans.find(({ name }) => name === 'fire traced tick')
  })
  await traced.request('DELETE', `/v1/schedules/${scheduleId}`)
  expect(fire).toMatchObject({ kind: 4, resource: { 'service.name': 'job-server-scheduler' } })
  expect(fire).not.toHaveProperty('parentSpanId')
  const [attempt] = await collector.receives(
    'the job that it made',
    ({ parentSpanId }) => parentSpanId === fire.spanId,
    2,
  )
  expect(attempt?.traceId).toBe(fire.traceId)
})

describe('without a collector', async () => {
  const plain = await startServer({ environment: { JOBS_DIR: jobs.path } })

  test('no trace is begun, and what a caller brings is passed on as it was', async () => {
    const headers = { traceparent, tracestate: 'vendor=kept' }
    const told = await post(plain.url, { definitionKey: 'tells' }, headers)
    expect(await plain.job(told).reaches('succeeded')).toMatchObject({ traceId, result: { trace: headers } })
    const untold = await plain.enqueue('tells')
    expect(await untold.reaches('succeeded')).toMatchObject({ traceId: null, result: { trace: null } })
    const malformed = await post(plain.url, { definitionKey: 'tells' }, { traceparent: 'ff-1-2-3' })
    expect(await plain.job(malformed).reaches('succeeded')).toMatchObject({ result: { trace: null } })
  })
})

describe('a collector that refuses', async () => {
  const refusing = openCollector()
  refusing.answer(() => new Response('no', { status: 401 }))
  const refused = await startServer({ environment: { ...refusing.environment, JOBS_DIR: jobs.path } })

  test('stops no job, and what it did not take is counted', async () => {
    await (await refused.enqueue('tells')).reaches('succeeded')
    const counted = await until('drops to be counted', async () => {
      const text = await (await refused.request('GET', '/metrics')).text()
      return /^job_server_api_spans_dropped_total (\d+)$/m.exec(text)?.[1] !== '0' && text
    })
    expect(counted).toContain('# TYPE job_server_api_spans_dropped_total counter')
    await until('the worker to say so too', () => refused.workers[0]?.lastLines.includes('spans.dropped'))
  })
})
