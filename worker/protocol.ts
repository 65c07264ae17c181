/**
 * Messages between the coordinator and one job process: lines of JSON over a socket of their own (descriptor 3 of
 * the child), not the runtime's IPC channel, which buffers what a child sends without any bound and hands every job
 * a `process.send`.
 *
 *   child ──ready──► coordinator          the runtime is up, a job may come
 *   child ◄──run──── coordinator          one job, everything it needs; one after the other is run
 *   child ──began──► coordinator          what happens from now on is the job's doing
 *   child ◄──abort── coordinator          end soon: the signal in the job aborts, SIGKILL follows; or do not begin
 *   child ──progress, event, log, checkpoint, span, span_end──►      reports, any number
 *   child ──storage──► coordinator ──presigned | in_parts | done | refused──► child    checked against the job
 *   child ──enqueue──► coordinator ──enqueued | refused──► child      a job on its own
 *   child ──logs_dropped──►               what its log was over the limit, if it was
 *   child ──result | snooze | children | failure──►  the last word; then the process exits, or waits for the next run
 *
 * All from the child but `ready` carries the number of its run: a report that a job sends after its end must not
 * become the next job's. When the socket closes, the coordinator is gone, and the child ends itself and its group. A
 * child that lost the socket otherwise exits with status 76 (EX_PROTOCOL of sysexits.h).
 *
 * What the child sends is parsed: job code shares its process. What the coordinator sends is trusted, so the
 * child needs no schema library to start.
 */
import { z } from 'zod'
import type { ChildEnd, Fleet, HookName, JobLimits, JobTools, TraceHeaders } from '../core/job.ts'
import { jobBounds } from '../core/job-bounds.ts'
import { contextBounds } from '../core/job-context.ts'
import {
  jsonShape as json,
  jsonObjectShape as jsonObject,
  secondsShape as seconds,
} from '../core/job-shapes.ts'
import type { JsonObject } from '../core/json.ts'

export interface RunMessage {
  type: 'run'
  run: number
  file: string
  definition: { key: string; version: number }
  jobId: string
  attempt: number
  maxAttempts: number
  params: unknown
  checkpoint: unknown
  /** How the children ended that the job waited for; null when it has not waited. */
  children: ChildEnd[] | null
  /** Not the job is run, but a hook of it; `file` holds those of its directory. */
  hook: { name: HookName; file: string | null; payload: JsonObject } | null
  scratchDirectory: string
  tools: JobTools
  limits: JobLimits
  trace: TraceHeaders | null
  /** Whether anybody wants to be told of spans. */
  recordsSpans: boolean
  fleet: Fleet
  logLimitBytes: number
  /** Whether the definition's own backoff function is asked; not when the job came with figures of its own. */
  asksBackoff: boolean
  /** Where the process waits for another job when this one is done; null: it exits. */
  waitIn: string | null
}

export type ToChild =
  | RunMessage
  | { type: 'abort'; run: number; reason: string }
  | { type: 'presigned'; request: number; url: string; key: string }
  /** Too large for one request: each part asks for its link by number, from 1; all have `partSizeBytes` but the last. */
  | { type: 'in_parts'; request: number; key: string; multipartId: string; partSizeBytes: number }
  | { type: 'done'; request: number }
  | { type: 'enqueued'; request: number; jobId: string; created: boolean }
  | { type: 'refused'; request: number; code: string; message: string; retry: boolean }

const run = z.int()
const spanId = z.string().regex(/^(?!0{16})[\da-f]{16}$/)
/** Milliseconds since 1970. */
const atMs = z.number().nonnegative()

export const fromChild = z.discriminatedUnion('type', [
  z.object({ type: z.literal('ready') }),
  z.object({ type: z.literal('began'), run }),
  z.object({ type: z.literal('progress'), run, progress: jsonObject }),
  z.object({
    type: z.literal('event'),
    run,
    eventType: z.string().min(1).max(contextBounds.eventTypeLength),
    payload: jsonObject,
  }),
  z.object({ type: z.literal('checkpoint'), run, value: json }),
  z.object({
    type: z.literal('log'),
    run,
    level: z.enum(['debug', 'info', 'warn', 'error']),
    text: z.string(),
    fields: jsonObject,
  }),
  z.object({
    type: z.literal('span'),
    run,
    id: spanId,
    /** Another span of the job; null: the attempt itself. */
    parent: spanId.nullable(),
    name: z.string().min(1).max(jobBounds.spanText),
    atMs,
    attributes: z
      .record(
        z.string().max(jobBounds.spanText),
        z.union([z.string().max(jobBounds.spanText), z.number(), z.boolean()]),
      )
      .refine((attributes) => Object.keys(attributes).length <= jobBounds.spanAttributes),
  }),
  z.object({
    type: z.literal('span_end'),
    run,
    id: spanId,
    atMs,
    error: z.string().max(jobBounds.spanText).nullable(),
  }),
  z.object({ type: z.literal('logs_dropped'), run, lines: z.int(), bytes: z.int() }),
  z.object({
    type: z.literal('storage'),
    run,
    request: z.int(),
    operation: z.discriminatedUnion('kind', [
      z.object({ kind: z.literal('get'), key: z.string() }),
      z.object({
        kind: z.literal('put'),
        name: z.string().regex(contextBounds.storedName),
        contentType: z.string().max(contextBounds.contentTypeLength),
        sizeBytes: z.int().nonnegative(),
      }),
      z.object({
        kind: z.literal('part'),
        multipartId: z.string().max(2000),
        partNumber: z.int().min(1).max(10_000),
        sizeBytes: z.int().positive(),
      }),
      z.object({ kind: z.literal('join'), multipartId: z.string().max(2000) }),
      z.object({ kind: z.literal('discard'), key: z.string(), reason: z.string().max(1000) }),
    ]),
  }),
  /** `job`: judged when it is enqueued, so that the job gets to know what is wrong. */
  z.object({ type: z.literal('enqueue'), run, request: z.int(), job: jsonObject }),
  /** `goesOn`: the process is as it was before and takes the next job. */
  z.object({ type: z.literal('result'), run, result: json, goesOn: z.boolean().optional() }),
  z.object({ type: z.literal('snooze'), run, seconds }),
  z.object({
    type: z.literal('children'),
    run,
    /** Judged, as above, so that the job gets to know what is wrong. */
    jobs: z.array(json),
    onFailure: z.enum(['fail', 'continue']),
  }),
  z.object({
    type: z.literal('failure'),
    run,
    errorCode: z.string().min(1).max(100),
    message: z.string(),
    stack: z.string(),
    retry: z.boolean(),
    retryInSeconds: seconds.optional(),
    details: jsonObject.optional(),
  }),
])
export type FromChild = z.output<typeof fromChild>
export type StorageRequest = Extract<FromChild, { type: 'storage' }>
export type EnqueueRequest = Extract<FromChild, { type: 'enqueue' }>
export type StorageOperation = StorageRequest['operation']
