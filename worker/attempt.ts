/**
 * One attempt of one job, from claim to end: scratch directory, process, time limit, reports, storage links;
 * then the process group is reaped, the scratch directory removed, and only then the end is written.
 */
import type { Pool } from '../core/db.ts'
import type { DefinitionRecord } from '../core/definitions/discover.ts'
import type { Log } from '../core/log.ts'
import type { ClaimedJob } from '../core/queue/claim.ts'
import type { End } from '../core/queue/finish.ts'
import type { Lease } from '../core/queue/row.ts'
import type { Storage } from '../core/storage/client.ts'
import { endOf } from './attempt-end.ts'
import { AttemptStorage } from './attempt-storage.ts'
import type { Written } from './finisher.ts'
import type { JobProcess, StopReason } from './job-process.ts'
import type { Reporter } from './reporter.ts'
import type { Scratch } from './scratch.ts'
import type { Standby } from './standby.ts'

export interface AttemptDependencies {
  sql: Pool
  storage: Storage
  standby: Standby
  scratch: Scratch
  reporter: Reporter
  tools: { ffmpeg: string; ffprobe: string }
  stopGraceSeconds: number
  log: Log
  /** Writes the end. `unknown`: the database gave no answer while the lease was surely ours. */
  finish(lease: Lease, end: End): Promise<Written>
}

export class Attempt {
  readonly done: Promise<void>
  readonly #process: JobProcess
  readonly #log: Log
  readonly #startedAt = performance.now()

  constructor(
    readonly job: ClaimedJob,
    private readonly definition: DefinitionRecord,
    private readonly dependencies: AttemptDependencies,
  ) {
    const { lease, attempt } = job
    this.#log = dependencies.log.child({
      jobId: lease.jobId,
      attempt,
      definition: `${definition.key}@${definition.version}`,
    })
    this.#process = dependencies.standby.take()
    this.done = this.#perform()
  }

  stop(reason: StopReason): void {
    // A lost lease means somebody else may be at it already: no grace.
    this.#process.stop(reason, reason === 'lease_lost' ? 0 : this.dependencies.stopGraceSeconds)
  }

  async #perform(): Promise<void> {
    const { job, dependencies } = this
    const storage = new AttemptStorage(dependencies.sql, dependencies.storage, job)
    const end = endOf(await this.#runProcess(storage), {
      attempt: job.attempt,
      timeoutSeconds: job.timeoutSeconds,
      backoff: this.definition.backoff,
    })
    await dependencies.reporter.flush()
    dependencies.reporter.forget(job.lease)
    await dependencies.scratch.remove(job.lease.epoch)
    if (end !== null && end.kind !== 'succeeded') await this.#tidy(() => storage.removeMine())
    const finished = end === null ? 'lost' : await dependencies.finish(job.lease, end)
    // An unknown outcome may be success: what it published must stay.
    if (finished === 'lost') await this.#tidy(() => storage.removeMine())
    else if (finished !== 'unknown' && end?.kind === 'succeeded') {
      if (finished.status !== 'succeeded') await this.#tidy(() => storage.removeMine())
      else if (job.attempt > 1) await this.#tidy(() => storage.keepOnlyMine())
    }
    this.#report(end, finished)
  }

  async #runProcess(storage: AttemptStorage) {
    const { job, dependencies } = this
    const scratchDirectory = await dependencies.scratch.make(job.lease.epoch)
    const timeout = setTimeout(() => this.stop('timed_out'), job.timeoutSeconds * 1000)
    this.#process.run(
      {
        type: 'run',
        file: this.definition.file,
        jobId: job.lease.jobId,
        attempt: job.attempt,
        maxAttempts: job.maxAttempts,
        params: job.params,
        checkpoint: job.checkpoint,
        scratchDirectory,
        tools: dependencies.tools,
      },
      {
        report: (message) => {
          if (message.type === 'log')
            this.#log[message.level]({ fields: message.fields, text: message.message }, 'job.logged')
          else dependencies.reporter.add(job.lease, message)
        },
        storage: async (message) => this.#process.send(await storage.perform(message)),
      },
    )
    const end = await this.#process.ended
    clearTimeout(timeout)
    return end
  }

  /** What stays behind in storage is found again by upkeep; it must not keep an attempt from ending. */
  async #tidy(remove: () => Promise<void>): Promise<void> {
    try {
      await remove()
    } catch (error) {
      this.#log.warn({ err: error }, 'outputs.left')
    }
  }

  #report(end: End | null, finished: Written): void {
    const fields = {
      status: typeof finished === 'string' ? finished : finished.status,
      end: end === null ? 'lease_lost' : end.kind === 'failed' ? end.outcome : end.kind,
      errorCode: end?.kind === 'failed' ? end.errorCode : undefined,
      message: end?.kind === 'failed' ? end.message : undefined,
      durationSeconds: (performance.now() - this.#startedAt) / 1000,
      waitedSeconds: (Date.now() - this.job.queuedAt.getTime()) / 1000,
    }
    this.#log[end?.kind === 'failed' || end === null ? 'warn' : 'info'](fields, 'attempt.ended')
  }
}
