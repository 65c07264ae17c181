/**
 * The job's part of its trace. A job process has no exporter: it tells when spans begin and end, and its coordinator
 * records them; so the span in which a process died is known too.
 */
import type { AsyncLocalStorage } from 'node:async_hooks'
import { JobError, type TraceHeaders } from '../core/job.ts'
import { jobBounds } from '../core/job-bounds.ts'
import { randomHex } from '../core/trace/context.ts'
import type { FromChild, RunMessage } from './protocol.ts'

type SpanMessageOf<Type extends 'span' | 'span_end'> = Extract<FromChild, { type: Type }>
type SpanMessage = SpanMessageOf<'span' | 'span_end'>

export class ChildTrace {
  /** Undefined when nobody wants to be told of spans: it takes time to load. */
  readonly #current: AsyncLocalStorage<string> | undefined

  constructor(
    private readonly message: Pick<RunMessage, 'run' | 'trace' | 'recordsSpans'>,
    private readonly send: (message: SpanMessage) => void,
  ) {
    if (!message.recordsSpans) return
    const hooks = process.getBuiltinModule('node:async_hooks')
    this.#current = new hooks.AsyncLocalStorage()
  }

  /** Of the span that the caller is in. */
  get headers(): TraceHeaders | null {
    const { trace } = this.message
    const spanId = this.#current?.getStore()
    if (trace === null || spanId === undefined) return trace
    return { ...trace, traceparent: trace.traceparent.replace(/-[\da-f]{16}-/, `-${spanId}-`) }
  }

  async span<Result>(
    name: string,
    run: () => Promise<Result> | Result,
    attributes: SpanMessageOf<'span'>['attributes'] = {},
  ): Promise<Result> {
    const current = this.#current
    if (current === undefined) return await run()
    const { run: number } = this.message
    const id = randomHex(8)
    const parent = current.getStore() ?? null
    const begun = { name: clipped(name) || 'unnamed', attributes: tellable(attributes) }
    this.send({ type: 'span', run: number, id, parent, atMs: now(), ...begun })
    const end = (error: string | null) => this.send({ type: 'span_end', run: number, id, atMs: now(), error })
    try {
      const result = await current.run(id, run)
      end(null)
      return result
    } catch (error) {
      end(error instanceof JobError ? clipped(error.code) : 'threw')
      throw error
    }
  }
}

/** No job fails for what it says of itself. */
function tellable(attributes: SpanMessageOf<'span'>['attributes']): SpanMessageOf<'span'>['attributes'] {
  const tellables = Object.entries(attributes).filter(
    ([, value]) => ['string', 'boolean'].includes(typeof value) || Number.isFinite(value),
  )
  return Object.fromEntries(
    tellables
      .slice(0, jobBounds.spanAttributes)
      .map(([key, value]) => [clipped(key), typeof value === 'string' ? clipped(value) : value]),
  )
}

function clipped(text: unknown): string {
  return String(text).slice(0, jobBounds.spanText)
}

/** Finer than `Date.now()`. A process that waited long for its job may be off by what the clock was set meanwhile. */
function now(): number {
  return performance.timeOrigin + performance.now()
}
