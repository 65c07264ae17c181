/** Spans, by the words of OpenTelemetry. A tracer that records nothing still passes on what it was given. */
import { randomHex, sampledFlag, type TraceContext } from './context.ts'
import type { Sampler } from './sampler.ts'

export type Attributes = Record<string, string | number | boolean | undefined>

type SpanKind = 'internal' | 'server' | 'client' | 'producer' | 'consumer'

interface SpanOptions {
  kind?: SpanKind
  /** Null: the first of its trace. */
  parent: TraceContext | null
  attributes?: Attributes
  /** Milliseconds since 1970; default: now. */
  startedAtMs?: number
  /** Default: a new one. */
  spanId?: string
}

export interface Span {
  /** What is handed on to whatever happens within it. Null: there is no trace. */
  readonly context: TraceContext | null
  readonly isRecorded: boolean
  rename(name: string): void
  set(attributes: Attributes): void
  /** @param end.error what went wrong, in a word that is no secret. A second end is ignored. */
  end(end?: { error?: string | undefined; endedAtMs?: number }): void
}

export interface Tracer {
  start(name: string, options: SpanOptions): Span
}

export interface EndedSpan {
  context: TraceContext
  parentId: string | null
  name: string
  kind: SpanKind
  startedAtMs: number
  endedAtMs: number
  attributes: Attributes
  error: string | undefined
}

/** Records nothing. */
export const passingTracer: Tracer = { start: (_name, { parent }) => passingSpan(parent) }

/** @param record is given each sampled span once, when it has ended */
export function createTracer(sampler: Sampler, record: (span: EndedSpan) => void): Tracer {
  return {
    start(name, { kind = 'internal', parent, attributes = {}, startedAtMs, spanId = randomHex(8) }) {
      const traceId = parent?.traceId ?? randomHex(16)
      const sampled = sampler(traceId, parent)
      const context: TraceContext = {
        traceId,
        spanId,
        flags: ((parent?.flags ?? 0) & ~sampledFlag) | (sampled ? sampledFlag : 0),
        state: parent?.state ?? '',
      }
      if (!sampled) return passingSpan(context)
      return recordedSpan({ context, parentId: parent?.spanId ?? null, name, kind, attributes }, record, {
        startedAtMs,
      })
    },
  }
}

function passingSpan(context: TraceContext | null): Span {
  return { context, isRecorded: false, rename: () => {}, set: () => {}, end: () => {} }
}

function recordedSpan(
  begun: Pick<EndedSpan, 'context' | 'parentId' | 'name' | 'kind' | 'attributes'>,
  record: (span: EndedSpan) => void,
  { startedAtMs = Date.now() }: { startedAtMs: number | undefined },
): Span {
  // A wall clock that is set meanwhile must not make it longer, or end it before it began.
  const clockAt = performance.now()
  let { name, attributes } = begun
  let hasEnded = false
  return {
    context: begun.context,
    isRecorded: true,
    rename: (better) => {
      name = better
    },
    set: (more) => {
      attributes = { ...attributes, ...more }
    },
    end: ({ error, endedAtMs = startedAtMs + performance.now() - clockAt } = {}) => {
      if (hasEnded) return
      hasEnded = true
      record({ ...begun, name, attributes, startedAtMs, endedAtMs, error })
    },
  }
}
