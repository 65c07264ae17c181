/** One run of a job in its process, and the `JobContext` it gets: what it may do, as messages to the coordinator. */
import type { JobContext, JobDefinition, JobLog, Json, JsonObject } from '../core/job.ts'
import { checkEventType, checkedSeconds, endings } from '../core/job-context.ts'
import { bounds } from './bounds.ts'
import type { ChildChannel } from './child-channel.ts'
import { createChildStorage } from './child-storage.ts'
import { ChildTrace } from './child-trace.ts'
import type { FromChild, RunMessage } from './protocol.ts'

export class Run {
  readonly abort = new AbortController()
  readonly context: JobContext
  /** Set when it is loaded. */
  definition: JobDefinition | undefined
  readonly #dropped = { lines: 0, bytes: 0 }
  #loggedBytes = 0
  #isOver = false

  constructor(
    readonly message: RunMessage,
    private readonly channel: ChildChannel,
  ) {
    const { jobId, attempt, maxAttempts, scratchDirectory, checkpoint, tools, limits, fleet, run } = message
    const trace = new ChildTrace(message, (told) => this.#report(told, bounds.report))
    this.context = {
      jobId,
      attempt,
      maxAttempts,
      scratchDirectory,
      tools,
      limits,
      fleet,
      checkpoint: checkpoint as Json,
      signal: this.abort.signal,
      log: this.#log(),
      storage: createChildStorage(channel.asker(run), this.abort.signal, limits.stallSeconds),
      get trace() {
        return trace.headers
      },
      span: (name, part, attributes) => trace.span(name, part, attributes),
      progress: (progress) => this.#report({ type: 'progress', run, progress }, bounds.report),
      event: (eventType, payload = {}) => {
        checkEventType(eventType)
        this.#report({ type: 'event', run, eventType, payload }, bounds.report)
      },
      saveCheckpoint: (value) => this.#report({ type: 'checkpoint', run, value }, bounds.checkpoint),
      enqueue: (job) => channel.enqueue(run, job),
      ...endings,
    }
  }

  /** What the definition's own function says; undefined when it has none, or nothing sensible to say. */
  backoff(error: Error): number | undefined {
    const backoff = this.definition?.backoff
    if (typeof backoff !== 'function' || !this.message.asksBackoff) return undefined
    try {
      return checkedSeconds(backoff(this.message.attempt, error))
    } catch (problem) {
      this.context.log.warn(`the backoff function failed: ${problem}`)
      return undefined
    }
  }

  /** The last word. What the job still says afterwards is heard by nobody. */
  end(last: FromChild): void {
    this.#isOver = true
    const { run } = this.message
    if (this.#dropped.lines > 0) this.channel.send({ type: 'logs_dropped', run, ...this.#dropped })
    this.channel.send(last)
  }

  #report(message: FromChild, limitBytes: number): void {
    if (!this.#isOver) this.channel.sendBounded(message, limitBytes)
  }

  #log(): JobLog {
    const log =
      (level: keyof JobLog) =>
      (text: string, fields: JsonObject = {}) => {
        if (!this.#isOver) this.#sendLog(level, String(text), fields)
      }
    return { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') }
  }

  /** Logging never throws. What is over the limit is not even sent: it costs the job nothing, nor anybody else. */
  #sendLog(level: keyof JobLog, text: string, fields: JsonObject): void {
    if (this.#loggedBytes > this.message.logLimitBytes) {
      this.#dropped.lines++
      this.#dropped.bytes += text.length
      return
    }
    const kept = clip(text, bounds.logText)
    const { run } = this.message
    this.#loggedBytes += kept.length
    try {
      const sizeBytes = Buffer.byteLength(JSON.stringify(fields))
      this.#loggedBytes += sizeBytes
      const shown = sizeBytes > bounds.logFields ? { omitted: `${sizeBytes} bytes of fields` } : fields
      this.channel.send({ type: 'log', run, level, text: kept, fields: shown })
    } catch (error) {
      this.channel.send({ type: 'log', run, level, text: kept, fields: { omitted: `fields: ${error}` } })
    }
  }
}

export function clip(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`
}
