/**
 * Gathers what jobs report and write, and puts it into the database at most twice a second for all jobs together. Of
 * progress and checkpoints only the newest counts; events and lines are all kept, events up to a bound that a job
 * may not cross between two writes. What could not be written is tried again with the next.
 */
import { isRefusedData, type Pool } from '../core/db.ts'
import type { Log } from '../core/log.ts'
import { type LogEntry, writeLogs } from '../core/queue/logs.ts'
import { type Report, report } from '../core/queue/report.ts'
import type { Lease } from '../core/queue/row.ts'
import type { CapturedLine } from './captured-output.ts'
import type { JobReport } from './job-process.ts'

const intervalMs = 500
const eventsPerWrite = 100
const linesPerWrite = 1000
/** While the database is away. */
const linesHeld = 10_000
/** Progress goes to the live row each time, but becomes an event only at steps of this many percent. */
const progressEventStep = 5

export class Reporter {
  readonly #reports = new Map<string, Report>()
  #lines: LogEntry[] = []
  readonly #lastProgressEvent = new Map<string, number>()
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> = Promise.resolve()
  /** Begins when what is under way is written, and takes along all that came until then. */
  #next: Promise<void> | undefined

  constructor(
    private readonly sql: Pool,
    private readonly log: Log,
  ) {}

  add(lease: Lease, message: Extract<JobReport, { type: 'progress' | 'event' | 'checkpoint' }>): void {
    const pending = this.#reports.get(lease.epoch) ?? { lease, events: [] }
    this.#reports.set(lease.epoch, pending)
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
    this.#soon()
  }

  addLine(lease: Lease, line: CapturedLine): void {
    this.#lines.push({ lease, ...line })
    this.#soon()
  }

  /** Writes all that is pending; before an attempt ends, so that its last reports come before its end. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#next ??= this.#writing.then(() => {
      this.#next = undefined
      this.#writing = this.#write()
      return this.#writing
    })
    await this.#next
  }

  forget(lease: Lease): void {
    this.#lastProgressEvent.delete(lease.epoch)
  }

  #soon(): void {
    this.#timer ??= setTimeout(() => void this.flush(), intervalMs)
  }

  #addEvent(pending: Report, type: string, payload: Report['events'][number]['payload']): void {
    if (pending.events.length < eventsPerWrite) pending.events.push({ type, payload })
    else this.log.warn({ jobId: pending.lease.jobId, type }, 'event.dropped')
  }

  async #write(): Promise<void> {
    const reports = [...this.#reports.values()]
    this.#reports.clear()
    try {
      await report(this.sql, reports)
    } catch (error) {
      this.log.warn({ err: error, reports: reports.length }, 'report.failed')
      if (!isRefusedData(error)) this.#putBack(reports)
    }
    const lines = this.#lines
    this.#lines = []
    for (
      let batch = lines.splice(0, linesPerWrite);
      batch.length > 0;
      batch = lines.splice(0, linesPerWrite)
    ) {
      try {
        await writeLogs(this.sql, batch)
      } catch (error) {
        this.log.warn({ err: error, lines: batch.length }, 'logs.failed')
        if (isRefusedData(error)) continue
        this.#lines = [...batch, ...lines, ...this.#lines].slice(-linesHeld)
        this.#soon()
        return
      }
    }
  }

  /** Beneath what came meanwhile. */
  #putBack(reports: Report[]): void {
    for (const old of reports) {
      const events = [...old.events, ...(this.#reports.get(old.lease.epoch)?.events ?? [])]
      this.#reports.set(old.lease.epoch, {
        ...old,
        ...this.#reports.get(old.lease.epoch),
        events: events.slice(0, eventsPerWrite),
      })
    }
    this.#soon()
  }
}
