import pino from 'pino'
import { expect, test } from 'vitest'
import { SpanExporter } from '../../../../core/trace/exporter.ts'
import { createSampler } from '../../../../core/trace/sampler.ts'
import { createTracer } from '../../../../core/trace/tracer.ts'
import { openCollector } from '../../../support/collector.ts'
import { until } from '../../../support/until.ts'

const log = pino({ level: 'silent' })
const always = createSampler('always_on', 1)

function exporting(options: { queueSize?: number; delayMs?: number; endpoint?: string } = {}) {
  const collector = openCollector()
  const exporter = new SpanExporter({
    endpoint: collector.environment.OTEL_EXPORTER_OTLP_ENDPOINT ?? '',
    headers: { authorization: 'Bearer of-the-collector' },
    resource: { 'service.name': 'test' },
    log,
    delayMs: 10,
    ...options,
  })
  const tracer = createTracer(always, (span) => exporter.add(span))
  const spans = (count: number) => {
    for (let index = 0; index < count; index++) tracer.start('work', { parent: null }).end()
  }
  return { collector, exporter, tracer, spans }
}

test('spans come with what is known of them', async () => {
  const { collector, exporter, tracer } = exporting()
  const parent = tracer.start('outer', { parent: null, kind: 'server', attributes: { whole: 3 } })
  const span = tracer.start('inner', { parent: parent.context, startedAtMs: 1_900_000_000_000.5 })
  span.set({ part: 0.5, yes: true, long: 'x'.repeat(1000), none: undefined })
  span.end({ error: 'went_wrong', endedAtMs: 1_900_000_000_001 })
  span.end()
  parent.end()
  await exporter.stop(10_000)
  expect(collector.problems).toEqual([])
  expect(collector.spans).toMatchObject([
    {
      name: 'inner',
      kind: 1,
      traceId: parent.context?.traceId,
      parentSpanId: parent.context?.spanId,
      startTimeUnixNano: '1900000000000500000',
      endTimeUnixNano: '1900000000001000000',
      attributes: {
        part: 0.5,
        yes: true,
        long: expect.stringMatching(/^x{511}…$/),
        'error.type': 'went_wrong',
      },
      status: { code: 2 },
      resource: { 'service.name': 'test' },
    },
    { name: 'outer', kind: 2, attributes: { whole: '3' }, status: {} },
  ])
  expect(collector.spans[1]).not.toHaveProperty('parentSpanId')
  expect(collector.requests[0]).toMatchObject({
    path: '/v1/traces',
    headers: { authorization: 'Bearer of-the-collector', 'content-type': 'application/json' },
  })
})

test('many go in few requests, and without being asked for', async () => {
  const { collector, exporter, spans } = exporting()
  spans(1200)
  await until('all to be there', () => collector.spans.length === 1200)
  expect(collector.requests.length).toBeLessThanOrEqual(4)
  expect(exporter.dropped).toBe(0)
})

test('a collector that is overloaded is tried again, and gets each span once', async () => {
  const { collector, exporter, spans } = exporting()
  let refusals = 2
  collector.answer(() => {
    if (--refusals === 0) collector.answer(null)
    return new Response('later', { status: 503, headers: { 'retry-after': '0' } })
  })
  spans(3)
  await until('all to be there', () => collector.spans.length === 3)
  expect(collector.requests).toHaveLength(3)
  expect(exporter.dropped).toBe(0)
})

test.each([400, 401, 500])('one that answers %i has refused them', async (status) => {
  const { collector, exporter, spans } = exporting()
  collector.answer(() => new Response('no', { status }))
  spans(3)
  await until('them to be given up', () => exporter.dropped === 3)
  expect(collector.requests).toHaveLength(1)
})

test('what it took in part is counted as such', async () => {
  const { collector, exporter, spans } = exporting()
  collector.answer(() => Response.json({ partialSuccess: { rejectedSpans: '2' } }))
  spans(3)
  await until('two to be given up', () => exporter.dropped === 2)
})

test('one that never answers holds up nobody, and takes bounded room', async () => {
  const { collector, exporter, spans } = exporting({ queueSize: 1000 })
  collector.answer(() => new Promise(() => {}))
  spans(1)
  await until('the first to be on its way', () => collector.requests.length === 1)
  spans(100_000)
  expect(exporter.dropped, 'beyond the queue').toBe(99_000)
  const stoppedAt = performance.now()
  await exporter.stop(200)
  expect(performance.now() - stoppedAt, 'far below what one request may take').toBeLessThan(5000)
  expect(exporter.dropped, 'all of them').toBe(100_001)
})

test('who must not wait does not wait for a second try', async () => {
  const { collector, exporter, spans } = exporting({ delayMs: 60_000 })
  collector.answer(() => new Response('later', { status: 503, headers: { 'retry-after': '20' } }))
  spans(2)
  await exporter.flush(30_000)
  expect(exporter.dropped).toBe(2)
  expect(collector.requests).toHaveLength(1)
  collector.answer(null)
  spans(1)
  await exporter.flush(30_000)
  expect(collector.spans).toHaveLength(1)
})

test('one that is not there is no harm', async () => {
  const { exporter, spans } = exporting({ endpoint: 'http://127.0.0.1:1' })
  spans(2)
  await exporter.flush(300)
  expect(exporter.dropped).toBe(2)
})
