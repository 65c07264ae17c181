/**
 * Runs one job in this process, with a context of its own making: for tests of job files. There is no queue, no worker
 * and no storage behind it; what the job did is given back.
 *
 *   const run = await runJob(greet, { name: 'Ada' })
 *   expect(run.outcome).toEqual({ kind: 'succeeded', result: { greeting: 'Hello, Ada!' } })
 *
 * A job that would end its process, or block it, does so here too: that is what job processes are for.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { z } from 'zod'
import {
  type ChildEnd,
  type ChildJob,
  type EnqueuedJob,
  type JobContext,
  type JobDefinition,
  JobError,
  type JobLog,
  JobSnooze,
  JobWaits,
  type Json,
  type JsonObject,
} from '../job.ts'
import { checkEventType, endings } from '../job-context.ts'
import { defaultJobLimits } from '../job-limits.ts'
import { MemoryStorage } from './memory-storage.ts'

export interface RunJobOptions {
  /** From 1, default 1. */
  attempt?: number
  maxAttempts?: number
  /** What an earlier attempt stored. */
  checkpoint?: Json
  /** How the children ended that the job has waited for: `onChildren` is run instead of `run`. */
  children?: ChildEnd[]
  /** Default: one that never aborts. */
  signal?: AbortSignal
  tools?: JobContext['tools']
  /** Default: those of a worker without configuration. */
  limits?: JobContext['limits']
  /** Where its scratch directory is made, default the system's temporary directory. */
  scratchRoot?: string
  /** Default: one worker with this one slot. */
  fleet?: JobContext['fleet']
  /** What is in storage, by key. */
  objects?: Record<string, Uint8Array | string>
  /** What `context.enqueue` does beside noting the job; default: it gives an id. */
  enqueue?: JobContext['enqueue']
}

export interface JobRun {
  outcome:
    | { kind: 'succeeded'; result: Json }
    | {
        kind: 'failed'
        errorCode: string
        message: string
        retry: boolean
        retryInSeconds?: number
        details?: JsonObject
      }
    | { kind: 'snoozed'; seconds: number }
    | { kind: 'waits'; children: ChildJob[]; onFailure: 'fail' | 'continue' }
  progress: JsonObject[]
  events: { type: string; payload: JsonObject }[]
  logs: { level: keyof JobLog; text: string; fields: JsonObject }[]
  /** The newest that was saved, or the one given. */
  checkpoint: Json
  /** By `context.enqueue`. */
  enqueued: EnqueuedJob[]
  /** What is in storage afterwards, by key. */
  objects: Map<string, Uint8Array>
}

export async function runJob<Schema extends z.ZodType, Result>(
  definition: JobDefinition<Schema, Result>,
  params: z.input<Schema>,
  options: RunJobOptions = {},
): Promise<JobRun> {
  const { attempt = 1, maxAttempts = definition.maxAttempts ?? 3, children } = options
  const scratchDirectory = await mkdtemp(join(options.scratchRoot ?? tmpdir(), 'job-server-run-job-'))
  const storage = new MemoryStorage(options.objects ?? {})
  const run: Omit<JobRun, 'outcome'> = {
    progress: [],
    events: [],
    logs: [],
    checkpoint: options.checkpoint ?? null,
    enqueued: [],
    objects: storage.objects,
  }
  const log =
    (level: keyof JobLog) =>
    (text: string, fields: JsonObject = {}) => {
      run.logs.push({ level, text, fields })
    }
  const context: JobContext = {
    jobId: '00000000-0000-7000-8000-000000000000',
    attempt,
    maxAttempts,
    signal: options.signal ?? new AbortController().signal,
    scratchDirectory,
    checkpoint: options.checkpoint ?? null,
    log: { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') },
    tools: options.tools ?? { ffmpeg: 'ffmpeg', ffprobe: 'ffprobe' },
    limits: options.limits ?? defaultJobLimits,
    fleet: options.fleet ?? { slots: 1, freeSlots: 0 },
    storage,
    trace: null,
    span: async (_name, part) => await part(),
    progress: (progress) => run.progress.push(progress),
    event: (type, payload = {}) => {
      checkEventType(type)
      run.events.push({ type, payload })
    },
    saveCheckpoint: (value) => {
      run.checkpoint = value
    },
    enqueue: async (job) => {
      const place = run.enqueued.push(job)
      const jobId = `00000000-0000-7000-8000-${String(place).padStart(12, '0')}`
      return (await options.enqueue?.(job)) ?? { jobId, created: true }
    },
    ...endings,
  }
  try {
    const parsed = definition.params.parse(params)
    const result =
      children === undefined
        ? await definition.run(parsed, context)
        : await definition.onChildren?.(parsed, context, children)
    // As the queue would give it back: what JSON can carry.
    return { outcome: { kind: 'succeeded', result: asJson(result) }, ...run }
  } catch (error) {
    return { outcome: outcomeOf(error), ...run }
  } finally {
    await rm(scratchDirectory, { recursive: true, force: true })
  }
}

function asJson(result: unknown): Json {
  return result === undefined ? null : (JSON.parse(JSON.stringify(result)) as Json)
}

function outcomeOf(error: unknown): JobRun['outcome'] {
  if (error instanceof JobSnooze) return { kind: 'snoozed', seconds: error.seconds }
  if (error instanceof JobWaits) return { kind: 'waits', children: error.jobs, onFailure: error.onFailure }
  if (error instanceof JobError) {
    const { code, message, retry, retryInSeconds, details } = error
    return {
      kind: 'failed',
      errorCode: code,
      message,
      retry,
      ...(retryInSeconds === undefined ? {} : { retryInSeconds }),
      ...(Object.keys(details).length === 0 ? {} : { details }),
    }
  }
  return {
    kind: 'failed',
    errorCode: 'threw',
    message: error instanceof Error ? error.message : String(error),
    retry: true,
  }
}
