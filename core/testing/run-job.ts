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
import type {
  ChildEnd,
  ChildJob,
  EnqueuedJob,
  JobContext,
  JobDefinition,
  JobLog,
  Json,
  JsonObject,
} from '../job.ts'
import { jobBounds } from '../job-bounds.ts'
import {
  checkEventType,
  checkedJson,
  checkedJsonObject,
  described,
  endings,
  logFieldsOf,
} from '../job-context.ts'
import { defaultJobLimits } from '../job-limits.ts'
import { runDefinition, type Thrown, whatWasThrown } from '../job-run.ts'
import { MemoryStorage } from './memory-storage.ts'

export interface RunJobOptions {
  /** Default: one that is always the same. */
  jobId?: string
  /** From 1, default 1. */
  attempt?: number
  maxAttempts?: number
  /** What an earlier attempt stored. */
  checkpoint?: Json
  /** Whether the definition's own backoff function is asked, default true: not when a job has figures of its own. */
  asksBackoff?: boolean
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
        /** When the job, or the definition's own backoff function, says so. */
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
  const { attempt = 1, maxAttempts = definition.maxAttempts ?? 3, children = null } = options
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
  const log = (level: keyof JobLog) => (text: string, fields?: JsonObject) => {
    run.logs.push({ level, text: described(text), fields: logFieldsOf(fields) })
  }
  const context: JobContext = {
    jobId: options.jobId ?? '00000000-0000-7000-8000-000000000000',
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
    progress: (progress) =>
      run.progress.push(checkedJsonObject('progress report', progress, jobBounds.report)),
    event: (type, payload = {}) => {
      checkEventType(type)
      run.events.push({ type, payload: checkedJsonObject('payload of an event', payload, jobBounds.report) })
    },
    saveCheckpoint: (value) => {
      run.checkpoint = checkedJson('checkpoint', value, jobBounds.checkpoint)
    },
    enqueue: async (given) => {
      const job = checkedJsonObject('job', given, jobBounds.enqueue) as object as EnqueuedJob
      const place = run.enqueued.push(job)
      const jobId = `00000000-0000-7000-8000-${String(place).padStart(12, '0')}`
      return (await options.enqueue?.(job)) ?? { jobId, created: true }
    },
    ...endings,
  }
  try {
    // As the queue gives them: what JSON can carry.
    const given = checkedJsonObject('parameter object', params, Infinity)
    const result = await runDefinition(definition as JobDefinition, given, context, children)
    return { outcome: { kind: 'succeeded', result }, ...run }
  } catch (error) {
    const { asksBackoff = true } = options
    const where = { definition: definition as JobDefinition, attempt, asksBackoff, log: context.log }
    return { outcome: outcomeOf(whatWasThrown(error, 'threw', where)), ...run }
  } finally {
    await rm(scratchDirectory, { recursive: true, force: true })
  }
}

function outcomeOf(thrown: Thrown): JobRun['outcome'] {
  if (thrown.kind !== 'failed') return thrown
  const { errorCode, message, retry, retryInSeconds, details } = thrown
  return {
    kind: 'failed',
    errorCode,
    message,
    retry,
    ...(retryInSeconds === undefined ? {} : { retryInSeconds }),
    ...(Object.keys(details).length === 0 ? {} : { details }),
  }
}
