/**
 * Gathers what jobs report and writes it at most twice a second for all jobs together. Of progress and
 * checkpoints only the newest counts; events are all kept, up to a bound a job may not cross between two writes.
 */
import type { Pool } from '../core/db.ts'
import type { Log } from '../core/log.ts'
import { type Report, report } from '../core/queue/report.ts'
import type { Lease } from '../core/queue/row.ts'
import type { JobReport } from './job-process.ts'

const intervalMs = 500
const eventsPerWrite = 100
/** Progress goes to the live row each time, but becomes an event only at steps of this many percent. */
const progressEventStep = 5

export class Reporter {
  readonly #pending = new Map<string, Report>()
  readonly #lastProgressEvent = new Map<string, number>()
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> = Promise.resolve()

  constructor(
    private readonly sql: Pool,
    private readonly log: Log,
  ) {}

  add(lease: Lease, message: Exclude<JobReport, { type: 'log' }>): void {
    const pending = this.#pending.get(lease.epoch) ?? { lease, events: [] }
    this.#pending.set(lease.epoch, pending)
    if (message.type === 'checkpoint') pending.checkpoint = { value: message.value }
    else if (message.type === 'event') this.#addEvent(pending, message.eventType, message.payload)
    else {
      pending.progress = message.progress
      const { percent } = message.progress
      const last = this.#lastProgressEvent.get(lease.epoch)
      if (typeof percent === 'number' && (last === undefined || percent >= last + progressEventStep)) {
        this.#lastProgressEvent.set(lease.epoch, percent)
        this.#addEvent(pending, 'progress', message.progress)
      }
    }
    this.#timer ??= setTimeout(() => void this.flush(), intervalMs)
  }

  /** Writes all that is pending; before an attempt ends, so that its last reports come before its end. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const reports = [...this.#pending.values()]
    this.#pending.clear()
    this.#writing = this.#writing.then(() => this.#write(reports))
    await this.#writing
  }

  forget(lease: Lease): void {
    this.#lastProgressEvent.delete(lease.epoch)
  }

  #addEvent(pending: Report, type: string, payload: Report['events'][number]['payload']): void {
    if (pending.events.length < eventsPerWrite) pending.events.push({ type, payload })
    else this.log.warn({ jobId: pending.lease.jobId, type }, 'event.dropped')
  }

  async #write(reports: Report[]): Promise<void> {
    try {
      await report(this.sql, reports)
    } catch (error) {
      // Reports are news, not truth: the next ones replace them. What must not be lost goes through finish.
      this.log.warn({ err: error, reports: reports.length }, 'report.failed')
    }
  }
}
