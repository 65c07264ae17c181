/**
 * One attempt of one job, from claim to end: scratch directory, process, limits, output, reports, storage links; then
 * nothing of it runs any more, the scratch directory is removed, and only then the end is written.
 */
import type { BackoffPolicy } from '../core/backoff.ts'
import { isInUse, type Pool } from '../core/db.ts'
import type { DefinitionRecord } from '../core/definitions/discover.ts'
import { definitionNameOf } from '../core/definitions/name.ts'
import { wholeMessage } from '../core/errors.ts'
import type { ChildEnd, Fleet, JobLimits, JobTools } from '../core/job.ts'
import type { JsonObject } from '../core/json.ts'
import type { Log } from '../core/log.ts'
import { readChildren } from '../core/queue/children.ts'
import type { ClaimedJob } from '../core/queue/claim.ts'
import { type Children, childrenRefused, type End } from '../core/queue/finish.ts'
import type { Lease } from '../core/queue/row.ts'
import type { Storage } from '../core/storage/client.ts'
import { inScope } from '../core/trace/scope.ts'
import type { Tracer } from '../core/trace/tracer.ts'
import { answerEnqueue } from './answer-enqueue.ts'
import { childrenHeldUp, endOf } from './attempt-end.ts'
import { AttemptStorage } from './attempt-storage.ts'
import { AttemptTrace } from './attempt-trace.ts'
import { CapturedOutput } from './captured-output.ts'
import type { Written } from './finisher.ts'
import type { JobListener, JobRun, JobToRun, ProcessEnd, StopReason } from './job-process.ts'
import type { Reporter } from './reporter.ts'
import type { Place, Turn } from './turn.ts'

export interface AttemptDependencies {
  sql: Pool
  storage: Storage
  reporter: Reporter
  tools: JobTools
  jobLimits: JobLimits
  /** As it is now, for a job that is about to begin. */
  fleetFor(definition: DefinitionRecord): Promise<Fleet>
  stopGraceSeconds: number
  log: Log
  /** What the process gets as parameters; null: the job is not wanted any more. */
  paramsOf(job: ClaimedJob): Promise<JsonObject | null>
  tracer: Tracer
  /** Writes the end. `unknown`: the database gave no answer while the lease was surely ours. */
  finish(lease: Lease, end: End): Promise<Written>
  /** @throws when a child can't be enqueued, however often it is tried */
  finishWithChildren(lease: Lease, children: Children): Promise<Written>
}

/** What a run needs beside the job itself. */
interface RunInput {
  params: JsonObject
  children: ChildEnd[] | null
  fleet: Fleet
}

export class Attempt {
  readonly done: Promise<void>
  readonly #storage: AttemptStorage
  readonly #trace: AttemptTrace
  readonly #output: CapturedOutput
  #startedAt = performance.now()
  #jobRun: JobRun | undefined
  #timeout: NodeJS.Timeout | undefined
  /** Of a stop that came before the job was given to a process. */
  #stopReason: StopReason | undefined

  constructor(
    readonly job: ClaimedJob,
    private readonly definition: DefinitionRecord,
    private readonly turn: Turn,
    private readonly dependencies: AttemptDependencies,
  ) {
    const { lease } = job
    const { sql, storage, reporter, tracer } = dependencies
    this.#trace = new AttemptTrace(tracer, job)
    this.#storage = new AttemptStorage(sql, storage, job)
    this.#output = new CapturedOutput(definition.logLimitBytes, (line) => reporter.addLine(lease, line))
    this.done = this.#perform().catch((error) => {
      this.#trace.end({}, 'worker_error')
      throw error
    })
  }

  /** Whether the job was given to a process, so that its code may have run. */
  get wasGiven(): boolean {
    return this.#jobRun !== undefined
  }

  stop(reason: StopReason): void {
    this.#stopReason ??= reason
    // A lost lease means somebody else may be at it already: no grace. Beyond a limit each moment does harm.
    const isUrgent = ['lease_lost', 'out_of_memory', 'container_full', 'scratch_full'].includes(reason)
    this.#jobRun?.stop(reason, isUrgent ? 0 : this.dependencies.stopGraceSeconds)
  }

  async #perform(): Promise<void> {
    const { job, dependencies } = this
    const storage = this.#storage
    const end = await this.#run().finally(() => this.#tidy('scratch.left', () => this.turn.leave()))
    if (end !== null) await dependencies.reporter.settle(job.lease)
    dependencies.reporter.forget(job.lease)
    // What a waiting job wrote may be what its children need; it goes when the job ends.
    if (end?.kind === 'waits') {
      const { ended, written } = await this.#wait(end.children)
      this.#report(ended, written)
      return
    }
    if (end !== null && end.kind !== 'succeeded') await this.#tidyOutputs(() => storage.removeMine())
    const finished = end === null ? 'lost' : await dependencies.finish(job.lease, end)
    // An unknown outcome may be success: what it published must stay.
    if (finished === 'lost') await this.#tidyOutputs(() => storage.removeMine())
    else if (finished !== 'unknown' && end?.kind === 'succeeded') {
      if (finished.status !== 'succeeded') await this.#tidyOutputs(() => storage.removeMine())
      else if (job.attempt > 1 || job.childrenSince !== null || storage.hasOpenParts)
        await this.#tidyOutputs(() => storage.keepOnlyMine())
    }
    this.#report(end, finished)
  }

  async #wait(children: Children): Promise<{ ended: End | 'waits'; written: Written }> {
    const { job, dependencies } = this
    try {
      const { tracer } = dependencies
      const written = await inScope({ tracer, context: this.#trace.context }, () =>
        dependencies.finishWithChildren(job.lease, children),
      )
      return { ended: 'waits', written }
    } catch (error) {
      const refused = isInUse(error)
        ? childrenHeldUp({ attempt: job.attempt, backoff: this.#backoff })
        : childrenRefused(wholeMessage(error))
      await this.#tidyOutputs(() => this.#storage.removeMine())
      return { ended: refused, written: await dependencies.finish(job.lease, refused) }
    }
  }

  async #run(): Promise<End | Extract<ProcessEnd, { kind: 'waits' }> | null> {
    const { job, definition, dependencies } = this
    const params = await dependencies.paramsOf(job)
    if (params === null) return { kind: 'cancelled' }
    const children = await this.#readChildren()
    const fleet = await dependencies.fleetFor(definition)
    const ended = await this.#runProcess({ params, children, fleet })
    this.#output.end()
    const { end, peakMemoryBytes } = ended
    if (end.kind === 'waits') return end
    const { attempt, timeoutSeconds } = job
    const { memoryLimitMb, scratchLimitMb } = definition
    return endOf(
      end,
      { attempt, timeoutSeconds, memoryLimitMb, scratchLimitMb, backoff: this.#backoff },
      { peakMemoryBytes, lastLines: this.#output.lastLines() },
    )
  }

  get #backoff(): BackoffPolicy {
    return { ...this.definition.backoff, ...this.job.backoff }
  }

  async #runProcess(input: RunInput): Promise<{ end: ProcessEnd; peakMemoryBytes: number }> {
    try {
      return await this.turn.run(
        (place) => this.#message(input, place),
        this.#listener(),
        (run) => {
          this.#jobRun = run
          if (this.#stopReason !== undefined) this.stop(this.#stopReason)
          // Behind others, its time has not come.
          if (!run.isQueued) this.#limitTime()
        },
      )
    } finally {
      clearTimeout(this.#timeout)
    }
  }

  #limitTime(): void {
    clearTimeout(this.#timeout)
    this.#timeout = setTimeout(() => this.stop('timed_out'), this.job.timeoutSeconds * 1000)
  }

  /** Their results are among what the job may read from storage. */
  async #readChildren(): Promise<ChildEnd[] | null> {
    const { lease, childrenSince } = this.job
    if (childrenSince === null) return null
    const children = await readChildren(this.dependencies.sql, lease.jobId, childrenSince)
    this.#storage.allow(children.map(({ result }) => result))
    return children
  }

  #message({ params, children, fleet }: RunInput, { scratchDirectory, waitIn }: Place): JobToRun {
    const { job, definition } = this
    return {
      file: definition.file,
      definition: { key: definition.key, version: definition.version },
      jobId: job.lease.jobId,
      attempt: job.attempt,
      maxAttempts: job.maxAttempts,
      params,
      checkpoint: job.checkpoint,
      children,
      hook: null,
      scratchDirectory,
      tools: this.dependencies.tools,
      limits: this.dependencies.jobLimits,
      trace: this.#trace.headers,
      recordsSpans: this.#trace.isRecorded,
      fleet,
      logLimitBytes: definition.logLimitBytes,
      nice: definition.nice,
      asksBackoff: job.backoff === null,
      waitIn,
    }
  }

  #listener(): JobListener {
    const { lease } = this.job
    return {
      began: () => {
        this.#startedAt = performance.now()
        this.#limitTime()
      },
      report: (message) => {
        if (message.type === 'log') this.#output.log(message.level, message.text, message.fields)
        else if (message.type === 'logs_dropped') this.#output.dropped(message.bytes)
        else if (message.type === 'span' || message.type === 'span_end') this.#trace.report(message)
        else {
          if (message.type === 'progress') this.#trace.progress(message.progress)
          this.dependencies.reporter.add(lease, message)
        }
      },
      output: (stream, chunk) => this.#output.write(stream, chunk),
      storage: (message) => this.#storage.perform(message),
      enqueue: (message) => {
        const { sql, tracer } = this.dependencies
        return inScope({ tracer, context: this.#trace.context }, () => answerEnqueue(sql, message))
      },
    }
  }

  /** What stays behind is found again by upkeep and the next start; it must not keep an attempt from ending. */
  async #tidy(left: string, remove: () => Promise<void>): Promise<void> {
    try {
      await remove()
    } catch (error) {
      this.dependencies.log.warn({ ...this.#subject(), err: error }, left)
    }
  }

  /** Of whom a log line tells. */
  #subject() {
    const { lease, attempt } = this.job
    const definition = definitionNameOf(this.job)
    return { jobId: lease.jobId, attempt, definition, traceId: this.#trace.context?.traceId }
  }

  #tidyOutputs(remove: () => Promise<void>): Promise<void> {
    return this.#tidy('outputs.left', remove)
  }

  #report(end: End | 'waits' | null, finished: Written): void {
    const failure = end !== null && end !== 'waits' && end.kind === 'failed' ? end : undefined
    const fields = {
      ...this.#subject(),
      status: typeof finished === 'string' ? finished : finished.status,
      end: end === null ? 'lease_lost' : end === 'waits' ? end : (failure?.outcome ?? end.kind),
      errorCode: failure?.errorCode,
      message: failure?.message,
      durationSeconds: (performance.now() - this.#startedAt) / 1000,
      waitedSeconds: (Date.now() - this.job.queuedAt.getTime()) / 1000,
    }
    this.dependencies.log[failure !== undefined || end === null ? 'warn' : 'info'](fields, 'attempt.ended')
    const error = end === null || finished === 'lost' ? 'lease_lost' : failure?.errorCode
    this.#trace.end({ 'job_server.outcome': fields.end, 'job_server.status': fields.status }, error)
  }
}
