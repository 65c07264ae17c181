/**
 * An attempt in the trace of its job: the wait before it, the attempt, and the spans that the job makes within. Error
 * codes are told and messages are not: those may hold links and what else is a secret.
 */
import { definitionNameOf } from '../core/definitions/name.ts'
import type { JsonObject } from '../core/json.ts'
import type { ClaimedJob } from '../core/queue/claim.ts'
import { messaging } from '../core/queue/send-span.ts'
import { parseTrace, type TraceContext, type TraceHeaders, traceHeaders } from '../core/trace/context.ts'
import type { Attributes, Span, Tracer } from '../core/trace/tracer.ts'
import type { JobReport } from './job-process.ts'

export type SpanReport = Extract<JobReport, { type: 'span' | 'span_end' }>

/** A job may make more; they are counted, not recorded. */
const maxSpans = 1000

export class AttemptTrace {
  readonly #span: Span
  readonly #spans = new Map<string, Span>()
  #phase: { name: string; span: Span } | undefined
  #made = 0
  #dropped = 0

  constructor(
    private readonly tracer: Tracer,
    job: ClaimedJob,
  ) {
    const parent = parseTrace(job.traceparent, job.tracestate)
    const common = {
      ...messaging,
      'messaging.destination.name': job.queue,
      'messaging.message.id': job.lease.jobId,
      'job_server.definition': definitionNameOf(job),
      'job_server.attempt': job.attempt,
    }
    this.#span = tracer.start(`process ${job.definitionKey}`, {
      kind: 'consumer',
      parent,
      attributes: {
        ...common,
        'messaging.operation.name': 'process',
        'messaging.operation.type': 'process',
        'job_server.max_attempts': job.maxAttempts,
      },
    })
    if (job.claimableAt === null || parent === null) return
    // Both on the database's clock. The wait for a delay or a backoff is the gap before it.
    tracer
      .start(`wait ${job.queue}`, { parent, startedAtMs: job.claimableAt.getTime(), attributes: common })
      .end({ endedAtMs: job.startedAt.getTime() })
  }

  get context(): TraceContext | null {
    return this.#span.context
  }

  /** For the job and for whatever it calls. */
  get headers(): TraceHeaders | null {
    return this.#span.context === null ? null : traceHeaders(this.#span.context)
  }

  get isRecorded(): boolean {
    return this.#span.isRecorded
  }

  set(attributes: Attributes): void {
    this.#span.set(attributes)
  }

  /** What a job's process tells is its own: an id that is not known, or not its to use, does no harm. */
  report(message: SpanReport): void {
    if (message.type === 'span_end') {
      this.#spans.get(message.id)?.end({ error: message.error ?? undefined, endedAtMs: message.atMs })
      return
    }
    const { context } = this.#span
    if (context === null || !this.#span.isRecorded || this.#spans.has(message.id)) return
    if (!this.#hasRoom()) return
    const parent = message.parent === null ? undefined : this.#spans.get(message.parent)
    const span = this.tracer.start(message.name, {
      parent: parent?.context ?? context,
      spanId: message.id,
      startedAtMs: message.atMs,
      attributes: message.attributes,
    })
    this.#spans.set(message.id, span)
  }

  /** A phase lasts until the job reports another, or that it is done. */
  progress({ phase, percent }: JsonObject): void {
    const { context } = this.#span
    if (context === null || !this.#span.isRecorded) return
    const name = typeof phase === 'string' && phase !== '' && percent !== 100 ? phase : undefined
    if (name === this.#phase?.name) return
    this.#phase?.span.end()
    this.#phase = undefined
    if (name === undefined || !this.#hasRoom()) return
    this.#phase = { name, span: this.tracer.start(name, { parent: context }) }
  }

  /** @param error code of what went wrong. Spans that are still open ended with the process. */
  end(attributes: Attributes, error: string | undefined): void {
    for (const span of this.#spans.values()) span.end({ error: error ?? 'not_ended' })
    this.#phase?.span.end({ error })
    this.#span.set({
      ...attributes,
      ...(this.#dropped > 0 ? { 'job_server.spans_dropped': this.#dropped } : {}),
    })
    this.#span.end({ error })
  }

  #hasRoom(): boolean {
    if (this.#made < maxSpans) {
      this.#made++
      return true
    }
    this.#dropped++
    return false
  }
}
