/**
 * Spans as a request of OTLP 1 in JSON: `ExportTraceServiceRequest` of opentelemetry-proto. Ids are hex, 64-bit numbers
 * are text, and names are in lowerCamelCase there.
 */
import type { JsonObject } from '../json.ts'
import { isSampled } from './context.ts'
import type { Attributes, EndedSpan } from './tracer.ts'

const kinds = { internal: 1, server: 2, client: 3, producer: 4, consumer: 5 }
const statusError = 2
/** A span takes this much of memory and request at most for each of its attributes. */
const maxTextLength = 512

/** @param resource who reports them: `service.name` and so on */
export function exportRequest(resource: Attributes, spans: EndedSpan[]): object {
  return {
    resourceSpans: [
      {
        resource: { attributes: keyValues(resource) },
        scopeSpans: [{ scope: { name: 'job-server' }, spans: spans.map(spanOf) }],
      },
    ],
  }
}

function spanOf({ context, parentId, name, kind, startedAtMs, endedAtMs, attributes, error }: EndedSpan) {
  return {
    traceId: context.traceId,
    spanId: context.spanId,
    ...(parentId === null ? {} : { parentSpanId: parentId }),
    ...(context.state === '' ? {} : { traceState: context.state }),
    flags: isSampled(context) ? 1 : 0,
    name: clip(name),
    kind: kinds[kind],
    startTimeUnixNano: nanos(startedAtMs),
    endTimeUnixNano: nanos(Math.max(startedAtMs, endedAtMs)),
    attributes: keyValues(error === undefined ? attributes : { ...attributes, 'error.type': error }),
    status: error === undefined ? {} : { code: statusError },
  }
}

function keyValues(attributes: Attributes) {
  return Object.entries(attributes).flatMap(([key, value]) =>
    value === undefined ? [] : [{ key, value: anyValue(value) }],
  )
}

function anyValue(value: string | number | boolean): JsonObject {
  if (typeof value === 'string') return { stringValue: clip(value) }
  if (typeof value === 'boolean') return { boolValue: value }
  return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value }
}

/** Whole microseconds: a double has no more of them since 1970. */
function nanos(milliseconds: number): string {
  return `${Math.round(milliseconds * 1000)}000`
}

function clip(text: string): string {
  return text.length <= maxTextLength ? text : `${text.slice(0, maxTextLength - 1)}…`
}
