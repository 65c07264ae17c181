/**
 * Gathers what jobs report and write, and puts it into the database at most twice a second for all jobs together. Of
 * progress and checkpoints only the newest counts; events and lines are all kept, events up to a bound that a job
 * may not cross between two writes. What could not be written is tried again with the next.
 *
 * Under the lease alone it can be written, and the end of an attempt gives that up: so the end waits for it, as long as it
 * would itself be tried.
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

/** Epochs of the leases that something is left of. */
type Unwritten = Set<string>

export class Reporter {
  readonly #reports = new Map<string, Report>()
  #lines: LogEntry[] = []
  readonly #lastProgressEvent = new Map<string, number>()
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<unknown> = Promise.resolve()
  /** Begins when what is under way is written, and takes along all that came until then. */
  #next: Promise<Unwritten> | undefined
  /** What a write left is tried again with this one. */
  #retry: Promise<Unwritten> | undefined

  constructor(
    private readonly sql: Pool,
    private readonly log: Log,
    private readonly options: { leaseSeconds: number },
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

  /**
   * Before an attempt ends: resolves when its last reports are written or never can be, or when no answer has come for as
   * long as a lease lasts.
   */
  async settle({ epoch }: Lease): Promise<void> {
    const { promise: over, resolve } = Promise.withResolvers<undefined>()
    const timer = setTimeout(() => resolve(undefined), this.options.leaseSeconds * 1000)
    let unwritten = await Promise.race([this.#flush(), over])
    while (unwritten?.has(epoch)) unwritten = await Promise.race([this.#flushAgain(), over])
    clearTimeout(timer)
  }

  forget(lease: Lease): void {
    this.#lastProgressEvent.delete(lease.epoch)
  }

  /** Writes all that is pending. */
  #flush(): Promise<Unwritten> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#next ??= this.#writing.then(() => {
      this.#next = undefined
      const writing = this.#write()
      this.#writing = writing
      return writing
    })
    return this.#next
  }

  #flushAgain(): Promise<Unwritten> {
    this.#retry ??= new Promise((resolve) => setTimeout(resolve, intervalMs)).then(() => {
      this.#retry = undefined
      return this.#flush()
    })
    return this.#retry
  }

  #soon(): void {
    this.#timer ??= setTimeout(() => void this.#flush(), intervalMs)
  }

  #addEvent(pending: Report, type: string, payload: Report['events'][number]['payload']): void {
    if (pending.events.length < eventsPerWrite) pending.events.push({ type, payload })
    else this.log.warn({ jobId: pending.lease.jobId, type }, 'event.dropped')
  }

  async #write(): Promise<Unwritten> {
    const reports = [...this.#reports.values()]
    this.#reports.clear()
    const left = await this.#writeReports(reports)
    if (left.length > 0) this.#putBack(left)
    const unwritten = [...left, ...(await this.#writeLines())]
    return new Set(unwritten.map(({ lease }) => lease.epoch))
  }

  /** @returns those to be tried again */
  async #writeReports(reports: Report[]): Promise<Report[]> {
    try {
      const inUse = new Set((await report(this.sql, reports)).map(({ epoch }) => epoch))
      return reports.filter(({ lease }) => inUse.has(lease.epoch))
    } catch (error) {
      this.log.warn({ err: error, reports: reports.length }, 'report.failed')
      if (!isRefusedData(error)) return reports
    }
    if (reports.length === 1) return []
    // The data of one may be what was refused.
    const left: Report[] = []
    for (const one of reports) left.push(...(await this.#writeReports([one])))
    return left
  }

  /** @returns those to be tried again */
  async #writeLines(): Promise<LogEntry[]> {
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
        const left = [...batch, ...lines]
        this.#lines = [...left, ...this.#lines].slice(-linesHeld)
        this.#soon()
        return left
      }
    }
    return []
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
