/**
 * The public job API: what a file in `jobs/` imports, and nothing else of ours. A job runs in a process of
 * its own, without a way to the database; everything it may do goes through its `JobContext`. Of the worker's
 * environment it sees PATH, LANG, LC_ALL, TZ, SSL_CERT_FILE, SSL_CERT_DIR, NODE_EXTRA_CA_CERTS and the variables that
 * JOB_ENVIRONMENT names, at the top of its file, too.
 */
import type { z } from 'zod'
import type { BackoffPolicy } from './backoff.ts'
import type { KnownFfmpeg } from './encode/abilities.ts'
import type { Json, JsonObject } from './json.ts'
import type { CatchUpPolicy, OverlapPolicy } from './schedules/row.ts'
import type { TraceHeaders } from './trace/context.ts'

export type { Json, JsonObject } from './json.ts'
export type { TraceHeaders } from './trace/context.ts'

export interface JobDefinition<Schema extends z.ZodType = z.ZodType, Result = unknown> {
  /** What clients enqueue by: 1 to 255 characters, for example `encode.video`. */
  key: string
  /** A positive integer, default 1; several versions of a key may stand side by side. */
  version?: number
  /** Schema of the parameters; checked at enqueue (as JSON Schema) and again before `run` (whole). */
  params: Schema
  /** Attempts before a job is a dead letter, 1 to 1000, default 3. */
  maxAttempts?: number
  /** Wall-clock limit of an attempt in seconds, default 3600. */
  timeoutSeconds?: number
  /** Jobs of this definition that run at once over all workers; default: no limit. */
  concurrencyLimit?: number
  /** Jobs that share a concurrency key and run at once over all workers, default 1. */
  concurrencyKeyLimit?: number
  /** At most so many attempts begin in any span of so many seconds, over all workers; default: no limit. */
  rateLimit?: RateLimit
  /** Queue the jobs stand in, default `default`. */
  queue?: string
  /**
   * When a failed job is tried again: figures for exponential backoff with full jitter, or a function of your own
   * that gives the seconds to wait after attempt `attempt` (from 1). It is asked in the job's process, so only of
   * an error that the job threw; where the process died, the default figures apply.
   */
  backoff?: Partial<BackoffPolicy> | ((attempt: number, error: Error) => number)
  /** Resident memory of the job's process and all it starts, in MiB, default 4096. Beyond it they are killed. */
  memoryLimitMb?: number
  /** What the scratch directory may hold, in MiB, default 102400. Beyond it the attempt is ended. */
  scratchLimitMb?: number
  /** Output and log that are kept of an attempt, in bytes, default 1 MiB. What comes after is counted, not kept. */
  logLimitBytes?: number
  /** Scheduling priority of the job's process and all it starts: 0 (default, as the worker's) to 19 (least). */
  nice?: number
  /**
   * Jobs of this definition that one process runs, one after another, default 1: a fresh process for each. More is
   * faster, for short jobs that leave nothing behind in their process; at the first abnormal sign it is replaced.
   * Jobs that take a few milliseconds are then also claimed and ended many at a time.
   */
  runsPerProcess?: number
  /** When a job of this definition is made by itself: an expression, or more. It is known as `key@version`. */
  schedule?: string | JobSchedule
  run(params: z.output<Schema>, context: JobContext): Promise<Result> | Result
  /** Goes on once the children that the job asked for have ended; a new attempt, in a process of its own. */
  onChildren?(params: z.output<Schema>, context: JobContext, children: ChildEnd[]): Promise<Result> | Result
  /** Run when something has happened to a job, each in a process of its own; whatever they do, the job stays as it is. */
  hooks?: JobHooks
}

export interface RateLimit {
  count: number
  seconds: number
}

export interface JobSchedule {
  /** Cron of five to seven fields, a nickname such as `@daily`, an interval (`every 90s`), or one ISO 8601 time. */
  expression: string
  /** IANA zone, default UTC. */
  timezone?: string
  params?: JsonObject
  priority?: number
  queue?: string
  /** Fires from this time on (ISO 8601 with its zone), and before the other. */
  startsAt?: string
  endsAt?: string
  /** Each fire comes later by a part of this, chosen by schedule and time; default 0. */
  jitterSeconds?: number
  /**
   * While a job of an earlier time has not ended: `allow` (default) makes another, `skip` makes none, `queueOne` makes
   * one that waits for it.
   */
  overlap?: OverlapPolicy
  /**
   * Of times that nobody was there to fire: `last` (default) fires the latest, `all` fires them all, oldest first, and
   * `none` leaves what is late by more than two minutes.
   */
  catchUp?: CatchUpPolicy
  /** Of `all`: at most so many of the latest, default 100. */
  catchUpLimit?: number
}

/**
 * A job that another enqueues as its child. Its parameters are checked as those of any job are. What is left out of
 * priority is its parent's, and so is the queue where the definition names none; the parent's tags are its own, too.
 */
export interface ChildJob {
  definitionKey: string
  /** Default 1. */
  definitionVersion?: number
  params?: JsonObject
  queue?: string
  priority?: number
  maxAttempts?: number
  timeoutSeconds?: number
  delaySeconds?: number
  concurrencyKey?: string
  concurrencyKeyLimit?: number
  /** What it stores is of use to its parent alone: it goes when the parent has ended, however it ended. */
  temporaryOutputs?: boolean
}

/** A job that another enqueues, on its own from then on. */
export interface EnqueuedJob extends Omit<ChildJob, 'temporaryOutputs'> {
  /** Another request with the same key and definition meets the same job, for a day. */
  idempotencyKey?: string
  /** For so many seconds, another request with the same definition and parameters meets this job. */
  uniqueFor?: number
  tags?: string[]
  metadata?: JsonObject
}

/** What `defineJob` gave; only key, version and the type of the parameters count here. */
export type AnyDefinition<Schema extends z.ZodType> = Pick<
  JobDefinition<Schema>,
  'key' | 'version' | 'params'
>

/**
 * Names a job whose parameters its definition's type checks, for `enqueue` and `enqueueChildren`; what else is to be said
 * of it stands beside: `context.enqueue({ ...jobOf(sendInvoice, { orderId }), idempotencyKey: context.jobId })`.
 *
 * The definition may be imported from its file. Where types would go in a circle, as in a job that enqueues itself,
 * `{ key: 'send.invoice', params: Params }` does as well.
 */
export function jobOf<Schema extends z.ZodType>(
  { key, version = 1 }: AnyDefinition<Schema>,
  params: z.input<Schema>,
): { definitionKey: string; definitionVersion: number; params: JsonObject } {
  return { definitionKey: key, definitionVersion: version, params: params as JsonObject }
}

/** How a child ended. */
export interface ChildEnd {
  jobId: string
  definitionKey: string
  status: 'succeeded' | 'failed' | 'cancelled'
  /** Null unless it succeeded. */
  result: Json
  errorCode: string | null
  errorSummary: string | null
}

export const hookNames = [
  'onStart',
  'onSuccess',
  'onFail',
  'onRetry',
  'onCancel',
  'onDeadLetter',
  'onEnd',
] as const
/**
 * `onStart`: an attempt began. `onRetry`: one failed and another follows. `onFail` and `onDeadLetter`: the job failed
 * for good and is a dead letter. `onEnd`: the job has succeeded, failed or was cancelled, after the hook for that.
 */
export type HookName = (typeof hookNames)[number]

export interface HookEvent {
  hook: HookName
  jobId: string
  definitionKey: string
  definitionVersion: number
  attempt: number
  params: JsonObject
  /** What became of the job; undefined in `onStart`. */
  status?: 'queued' | 'succeeded' | 'failed' | 'cancelled'
  result?: Json
  errorCode?: string
  message?: string
}

export type JobHooks = Partial<Record<HookName, (event: HookEvent, context: HookContext) => unknown>>

/** Hooks have 30 seconds, a definition's own and that of its directory together. */
export interface HookContext {
  readonly signal: AbortSignal
  readonly log: JobLog
  /** As a job does it. */
  enqueue: JobContext['enqueue']
}

/**
 * For `_hooks.ts` in a directory of job files: hooks for all the definitions in it, after their own, whatever became of
 * those; and beside one that takes longer than ten seconds.
 */
export function defineHooks(hooks: JobHooks): JobHooks {
  return hooks
}

/** Gives the definition back unchanged, typed. A file in `jobs/` exports it as its default. */
export function defineJob<Schema extends z.ZodType, Result>(
  definition: JobDefinition<Schema, Result>,
): JobDefinition<Schema, Result> {
  return definition
}

export interface JobContext {
  readonly jobId: string
  /** From 1. */
  readonly attempt: number
  readonly maxAttempts: number
  /** Aborts when the job is cancelled, times out, or its worker drains; the process is killed soon after. */
  readonly signal: AbortSignal
  /** An empty directory of this attempt; deleted when the attempt ends, however it ends. */
  readonly scratchDirectory: string
  /** What an earlier attempt stored by `saveCheckpoint`, or null. */
  readonly checkpoint: Json
  readonly log: JobLog
  readonly tools: JobTools
  readonly limits: JobLimits
  readonly fleet: Fleet
  readonly storage: JobStorage
  /**
   * Where the job is in its trace, as headers for what it calls (W3C Trace Context); null: in none. Processes that it
   * starts find the same, of the attempt, in TRACEPARENT and TRACESTATE.
   */
  readonly trace: TraceHeaders | null
  /**
   * Runs a part of the job as a span of its own in the trace: `context.span('probe', () => probe(input))`. Spans within
   * spans nest. Without tracing it only runs it. No secrets in attributes.
   */
  span<Result>(
    name: string,
    run: () => Promise<Result> | Result,
    attributes?: Record<string, string | number | boolean>,
  ): Promise<Result>
  /**
   * Coalesced: call as often as there is news. `percent` is 0 to 100. A `phase`, a text of your own, is a span of the
   * trace until another is reported.
   */
  progress(progress: { percent: number } & JsonObject): void
  /** Appends an event of the job's own; `type` is 1 to 100 characters. */
  event(type: string, payload?: JsonObject): void
  saveCheckpoint(value: Json): void
  /** The attempt fails. `retry`: whether another may follow, default true. `code`: its error code, default `failed`. */
  fail(message: string, options?: { retry?: boolean; code?: string }): never
  /** The attempt fails, and the next one (if any is left) begins after exactly so many seconds. */
  retryIn(seconds: number, message?: string): never
  /** The job runs again after so many seconds, and no attempt is spent. */
  snooze(seconds: number): never
  /**
   * Enqueues a job that is no child: it begins whatever becomes of this one, which does not wait for it. As an attempt
   * may be repeated, give it an `idempotencyKey`, such as one with this job's id; `created` is false when it met a job.
   * `jobOf` checks the parameters by the definition's type.
   * @throws JobError invalid_job when it is not what the definition takes; enqueue_failed when it can't be enqueued now
   */
  enqueue(job: EnqueuedJob): Promise<{ jobId: string; created: boolean }>
  /**
   * Enqueues children and waits for them: the job holds no process and no slot meanwhile, spends no attempt, and goes
   * on in `onChildren`. With `onFailure: 'fail'` (the default) it fails with the first child that does not succeed, and
   * the others are cancelled; with `'continue'` it gets to know. When it ends otherwise, its children are cancelled.
   * At most 10,000 children and 8 MB of JSON; what can't be enqueued fails the job as `invalid_children`.
   * `jobOf` checks the parameters by the definition's type.
   */
  enqueueChildren(jobs: ChildJob[], options?: { onFailure?: 'fail' | 'continue' }): never
}

export interface JobTools {
  /** Paths of the FFmpeg binaries that the worker found. */
  ffmpeg: string
  ffprobe: string
  /** What the worker was told by this ffmpeg when it started. */
  known?: KnownFfmpeg
}

/**
 * The workers that live, as they were when the attempt began. Asked for where the definition has `onChildren`; other
 * jobs are told of their own worker alone.
 */
export interface Fleet {
  /** Jobs that they run at once. */
  slots: number
  /** Of those, how many ran nothing and had nothing waiting for them. */
  freeSlots: number
}

/** What the worker's configuration allows. */
export interface JobLimits {
  /** Jobs that this worker runs at once: they share its processors. */
  slots: number
  /** Seconds without any progress after which a job should give up as `stalled`; its storage does so by itself. */
  stallSeconds: number
  /** What the URLs of users may reach though it is not public: names, addresses and ranges. */
  allowedHosts: readonly string[]
  video: VideoLimits
}

/** Largest values of a video that is encoded. */
export interface VideoLimits {
  sizeBytes: number
  durationSeconds: number
  /** Of one picture. */
  pixels: number
  frameRate: number
  streams: number
  /** All pictures together, in 10^9 pixels. */
  gigapixels: number
  /** All pixels by the bytes of the file; holds from 400 gigapixels on. */
  pixelsPerByte: number
  /** Of all outputs together. */
  outputBytes: number
}

export interface JobLog {
  debug(message: string, fields?: JsonObject): void
  info(message: string, fields?: JsonObject): void
  warn(message: string, fields?: JsonObject): void
  error(message: string, fields?: JsonObject): void
}

/** The job's window on object storage: presigned links asked of the worker, bounded to this job. */
export interface JobStorage {
  /** A presigned GET link for an object that the job's parameters name. Lives for an hour. */
  readUrl(key: string): Promise<string>
  /** Streams an object to a file of the scratch directory. @throws JobError storage_unavailable, stalled, source_missing */
  download(key: string, path: string): Promise<{ sizeBytes: number }>
  /**
   * Uploads a file under this attempt's own prefix and gives its object key. It is visible to nobody until
   * the attempt succeeds with a result that names it; an attempt that ends otherwise has it deleted.
   * `name`: 1 to 100 letters (a-z), digits, `.`, `_` or `-`, at the end of the key; what people call the file is for the result.
   * @throws JobError storage_unavailable, stalled
   * @throws RangeError for another name
   */
  upload(path: string, as: { name: string; contentType: string }): Promise<StoredFile>
  /**
   * Removes an object that the job's parameters name, for a source that can never be of use; a picture stays. `reason` is a
   * sentence that its uploader will read. @throws JobError storage_unavailable
   */
  discard(key: string, reason: string): Promise<void>
}

export interface StoredFile {
  key: string
  sizeBytes: number
  /** Lower-case hex. */
  sha256: string
}

/** A failure with a stable code, a sentence for people, and word on whether another attempt makes sense. */
export class JobError extends Error {
  override readonly name = 'JobError'
  readonly code: string
  readonly retry: boolean
  /** Seconds before the next attempt; left to the definition's backoff when undefined. */
  readonly retryInSeconds: number | undefined
  /** What the operator should see of it, for example the last lines of a program: kept with the attempt, up to 32 KiB. */
  readonly details: JsonObject
  constructor(
    code: string,
    message: string,
    options: { retry?: boolean; retryInSeconds?: number; details?: JsonObject; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause })
    this.code = code
    this.retry = options.retry ?? true
    this.retryInSeconds = options.retryInSeconds
    this.details = options.details ?? {}
  }
}

/** What `context.snooze` throws: not a failure. A job that catches it goes on as if it had not asked. */
export class JobSnooze extends Error {
  override readonly name = 'JobSnooze'
  constructor(readonly seconds: number) {
    super(`snoozed for ${seconds} s`)
  }
}

/** What `context.enqueueChildren` throws: not a failure. */
export class JobWaits extends Error {
  override readonly name = 'JobWaits'
  constructor(
    readonly jobs: ChildJob[],
    readonly onFailure: 'fail' | 'continue',
  ) {
    super(`waits for ${jobs.length} children`)
  }
}
