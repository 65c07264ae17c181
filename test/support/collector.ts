/** A collector of traces on loopback: takes OTLP over HTTP in JSON, and nothing that does not keep to it. */
import { afterAll } from 'vitest'
import { z } from 'zod'
import { until } from './until.ts'

const attribute = z.strictObject({
  key: z.string().min(1),
  value: z.union([
    z.strictObject({ stringValue: z.string() }),
    z.strictObject({ boolValue: z.boolean() }),
    z.strictObject({ intValue: z.string().regex(/^-?\d{1,19}$/) }),
    z.strictObject({ doubleValue: z.number() }),
  ]),
})
const attributes = z
  .array(attribute)
  .transform((list) => Object.fromEntries(list.map(({ key, value }) => [key, Object.values(value)[0]])))
const nanos = z.string().regex(/^\d{19}$/)

const Span = z
  .strictObject({
    traceId: z.string().regex(/^[\da-f]{32}$/),
    spanId: z.string().regex(/^[\da-f]{16}$/),
    parentSpanId: z
      .string()
      .regex(/^[\da-f]{16}$/)
      .optional(),
    traceState: z.string().min(1).optional(),
    flags: z.int().min(0).max(0x3ff),
    name: z.string().min(1),
    kind: z.int().min(1).max(5),
    startTimeUnixNano: nanos,
    endTimeUnixNano: nanos,
    attributes,
    status: z.strictObject({ code: z.literal(2).optional() }),
  })
  .refine(({ startTimeUnixNano, endTimeUnixNano }) => BigInt(startTimeUnixNano) <= BigInt(endTimeUnixNano))

const ExportRequest = z.strictObject({
  resourceSpans: z.array(
    z.strictObject({
      resource: z.strictObject({ attributes }),
      scopeSpans: z.array(
        z.strictObject({ scope: z.strictObject({ name: z.string() }), spans: z.array(Span) }),
      ),
    }),
  ),
})

export type ReceivedSpan = z.output<typeof Span> & { resource: Record<string, unknown> }

export interface Collector {
  /** For a process that is to report to it. */
  environment: Record<string, string>
  /** In the order they came in. */
  spans: ReceivedSpan[]
  /** As they came. */
  requests: { text: string; headers: Record<string, string>; path: string }[]
  /** What was not as it should be. */
  problems: string[]
  /** Instead of taking what comes; null: takes it again. */
  answer(instead: ((request: Request) => Promise<Response> | Response) | null): void
  /** Waits until so many spans are there that fit, and gives them by when they began. */
  receives(what: string, fits: (span: ReceivedSpan) => boolean, count?: number): Promise<ReceivedSpan[]>
}

export function openCollector(): Collector {
  let instead: ((request: Request) => Promise<Response> | Response) | null = null
  const spans: ReceivedSpan[] = []
  const requests: Collector['requests'] = []
  const problems: string[] = []
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch: async (request) => {
      const text = await request.text()
      requests.push({
        text,
        headers: Object.fromEntries(request.headers),
        path: new URL(request.url).pathname,
      })
      if (instead !== null) return await instead(request)
      const parsed = ExportRequest.safeParse(JSON.parse(text))
      if (!parsed.success) {
        problems.push(z.prettifyError(parsed.error))
        return new Response('not a request of OTLP', { status: 400 })
      }
      for (const { resource, scopeSpans } of parsed.data.resourceSpans) {
        for (const scope of scopeSpans) {
          spans.push(...scope.spans.map((span) => ({ ...span, resource: resource.attributes })))
        }
      }
      return Response.json({ partialSuccess: {} })
    },
  })
  afterAll(() => server.stop(true))
  return {
    environment: { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${server.port}` },
    spans,
    requests,
    problems,
    answer: (other) => {
      instead = other
    },
    receives: async (what, fits, count = 1) => {
      const found = () => spans.filter(fits)
      await until(what, () => found().length >= count)
      return found().sort((a, b) => Number(BigInt(a.startTimeUnixNano) - BigInt(b.startTimeUnixNano)))
    },
  }
}
