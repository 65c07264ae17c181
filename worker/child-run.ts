/** One run of a job in its process, and the `JobContext` it gets: what it may do, as messages to the coordinator. */
import type { JobContext, JobDefinition, JobLog, Json, JsonObject } from '../core/job.ts'
import { clip, jobBounds } from '../core/job-bounds.ts'
import {
  checkEventType,
  checkedJson,
  checkedJsonObject,
  described,
  endings,
  logFieldsOf,
} from '../core/job-context.ts'
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
    const trace = new ChildTrace(message, (told) => this.#report(told))
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
      progress: (given) => {
        const progress = checkedJsonObject('progress report', given, jobBounds.report)
        this.#report({ type: 'progress', run, progress })
      },
      event: (eventType, given = {}) => {
        checkEventType(eventType)
        const payload = checkedJsonObject('payload of an event', given, jobBounds.report)
        this.#report({ type: 'event', run, eventType, payload })
      },
      saveCheckpoint: (given) => {
        const value = checkedJson('checkpoint', given, jobBounds.checkpoint)
        this.#report({ type: 'checkpoint', run, value })
      },
      enqueue: async (job) => await channel.enqueue(run, checkedJsonObject('job', job, jobBounds.enqueue)),
      ...endings,
    }
  }

  /** The last word. What the job still says afterwards is heard by nobody. */
  end(last: FromChild): void {
    this.#isOver = true
    const { run } = this.message
    if (this.#dropped.lines > 0) this.channel.send({ type: 'logs_dropped', run, ...this.#dropped })
    this.channel.send(last)
  }

  #report(message: FromChild): void {
    if (!this.#isOver) this.channel.send(message)
  }

  #log(): JobLog {
    const log = (level: keyof JobLog) => (text: string, fields?: JsonObject) => {
      if (!this.#isOver) this.#sendLog(level, described(text), fields)
    }
    return { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') }
  }

  /** Logging never throws. What is over the limit is not even sent: it costs the job nothing, nor anybody else. */
  #sendLog(level: keyof JobLog, text: string, given: unknown): void {
    if (this.#loggedBytes > this.message.logLimitBytes) {
      this.#dropped.lines++
      this.#dropped.bytes += text.length
      return
    }
    const kept = clip(text, jobBounds.logText)
    const { run } = this.message
    const fields = logFieldsOf(given)
    this.#loggedBytes += kept.length + Buffer.byteLength(JSON.stringify(fields))
    this.channel.send({ type: 'log', run, level, text: kept, fields })
  }
}
