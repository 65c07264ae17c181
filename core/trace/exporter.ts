/**
 * Sends spans to a collector: OTLP over HTTP, in batches, one at a time. It never holds up what it reports of: what it
 * can't send in time, or has no room for, is dropped and counted.
 *
 * Not OpenTelemetry's own SDK: that brings a dozen packages and 0.31 MB into each bundle (measured; the whole function
 * has 1.7 MB), does not tell how much it dropped, and makes spans where they begin, while ours begin in job processes
 * and are told by their coordinator.
 */
import type { Log } from '../log.ts'
import { exportRequest } from './otlp.ts'
import type { Attributes, EndedSpan } from './tracer.ts'

export interface ExporterOptions {
  /** To which `v1/traces` is appended. */
  endpoint: string
  headers: Record<string, string>
  resource: Attributes
  log: Log
  queueSize?: number
  /** Between a span and the batch that takes it along, at most. */
  delayMs?: number
  /** For one request. */
  patienceMs?: number
}

const batchSize = 512
const tries = 4
const firstPauseMs = 500
const longestPauseMs = 10_000
const warnEveryMs = 60_000
/** Statuses after which the same request may fare better (OTLP 1, "Failures"). */
const retryable = new Set([429, 502, 503, 504])

export class SpanExporter {
  readonly #url: string
  readonly #queueSize: number
  readonly #delayMs: number
  readonly #patienceMs: number
  #queue: EndedSpan[] = []
  #timer: NodeJS.Timeout | undefined
  #sending: Promise<void> | undefined
  #giveUp = new AbortController()
  #dropped = 0
  #warnedAt = Number.NEGATIVE_INFINITY
  #isStopped = false
  #isHurried = false

  constructor(private readonly options: ExporterOptions) {
    const { endpoint, queueSize = 4096, delayMs = 2000, patienceMs = 10_000 } = options
    this.#url = `${endpoint.replace(/\/+$/, '')}/v1/traces`
    this.#queueSize = queueSize
    this.#delayMs = delayMs
    this.#patienceMs = patienceMs
  }

  /** Spans that no collector has taken and none will. */
  get dropped(): number {
    return this.#dropped
  }

  add(span: EndedSpan): void {
    if (this.#isStopped || this.#queue.length >= this.#queueSize) {
      this.#drop(1, 'there was no room for it')
      return
    }
    this.#queue.push(span)
    if (this.#queue.length >= batchSize) this.#send()
    else this.#timer ??= setTimeout(() => this.#send(), this.#delayMs)
  }

  /**
   * Sends what there is. What is not sent when the time is up is dropped, and nothing is tried again: a function that
   * waits for this after each request must not be slow because its collector is down.
   */
  async flush(withinMs: number): Promise<void> {
    this.#isHurried = true
    await this.#empty(withinMs)
    this.#isHurried = false
  }

  async stop(withinMs: number): Promise<void> {
    this.#isStopped = true
    await this.#empty(withinMs)
  }

  async #empty(withinMs: number): Promise<void> {
    if (this.#queue.length === 0 && this.#sending === undefined) return
    const timer = setTimeout(() => this.#giveUp.abort(), withinMs)
    this.#send()
    await this.#sending
    clearTimeout(timer)
    this.#giveUp = new AbortController()
  }

  #send(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined
    })
  }

  async #sendAll(): Promise<void> {
    while (this.#queue.length > 0) {
      const batch = this.#queue.splice(0, batchSize)
      const problem = await this.#sendBatch(batch)
      if (problem !== null) this.#drop(batch.length, problem)
    }
  }

  /** @returns what kept it from being taken; null: it was */
  async #sendBatch(batch: EndedSpan[]): Promise<string | null> {
    const body = JSON.stringify(exportRequest(this.options.resource, batch))
    for (let count = 1; ; count++) {
      const { problem, pauseMs } = await this.#post(body)
      if (problem === null || pauseMs === null || count === tries || this.#isHurried) return problem
      const growing = firstPauseMs * 2 ** (count - 1)
      await this.#pause(Math.min(longestPauseMs, Math.max(pauseMs, growing * (0.5 + Math.random()))))
      if (this.#giveUp.signal.aborted) return problem
    }
  }

  /** @returns `pauseMs`: how long to wait before it is tried again; null: never */
  async #post(body: string): Promise<{ problem: string | null; pauseMs: number | null }> {
    try {
      const response = await fetch(this.#url, {
        method: 'POST',
        headers: { ...this.options.headers, 'content-type': 'application/json' },
        body,
        redirect: 'error',
        signal: AbortSignal.any([this.#giveUp.signal, AbortSignal.timeout(this.#patienceMs)]),
      })
      const answer = await response.text()
      if (response.ok) {
        const rejected = rejectedSpans(answer)
        if (rejected > 0) this.#drop(rejected, 'the collector rejected it')
        return { problem: null, pauseMs: null }
      }
      const problem = `the collector answered ${response.status}`
      const seconds = Number(response.headers.get('retry-after'))
      const pauseMs = Number.isFinite(seconds) ? seconds * 1000 : 0
      return { problem, pauseMs: retryable.has(response.status) ? pauseMs : null }
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error)
      return { problem: `the collector could not be reached: ${problem}`, pauseMs: 0 }
    }
  }

  #pause(milliseconds: number): Promise<void> {
    const { signal } = this.#giveUp
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds)
      if (signal.aborted) resolve()
      signal.addEventListener('abort', () => {
        clearTimeout(timer)
        resolve()
      })
    })
  }

  #drop(spans: number, problem: string): void {
    this.#dropped += spans
    if (performance.now() - this.#warnedAt < warnEveryMs) return
    this.#warnedAt = performance.now()
    this.options.log.warn({ dropped: this.#dropped, problem }, 'spans.dropped')
  }
}

/** Of a success that was none for all: `partialSuccess` of the answer. */
function rejectedSpans(answer: string): number {
  try {
    return Number(JSON.parse(answer).partialSuccess?.rejectedSpans ?? 0)
  } catch {
    // Some collectors answer with nothing, or in protobuf.
    return 0
  }
}
