/**
 * Messages between the coordinator and one job process, over Bun's IPC channel.
 *
 *   child ──ready──► coordinator          the runtime is up, a job may come
 *   child ◄──run──── coordinator          one job, everything it needs
 *   child ◄──abort── coordinator          end soon: the signal in the job aborts, SIGKILL follows
 *   child ──progress, event, log, checkpoint──►      reports, any number
 *   child ──storage──► coordinator ──presigned | discarded | refused──► child    checked against the job
 *   child ──result | failure──►           the last word; then the process exits
 *
 * What the child sends is parsed: job code shares its process. What the coordinator sends is trusted, so the
 * child needs no schema library to start.
 */
import { z } from 'zod'

export interface RunMessage {
  type: 'run'
  file: string
  jobId: string
  attempt: number
  maxAttempts: number
  params: unknown
  checkpoint: unknown
  scratchDirectory: string
  tools: { ffmpeg: string; ffprobe: string }
}

export type ToChild =
  | RunMessage
  | { type: 'abort'; reason: string }
  | { type: 'presigned'; request: number; url: string; key: string }
  | { type: 'discarded'; request: number }
  | { type: 'refused'; request: number; code: string; message: string; retry: boolean }

const json = z.json()
const jsonObject = z.record(z.string(), json)

export const fromChild = z.discriminatedUnion('type', [
  z.object({ type: z.literal('ready') }),
  z.object({ type: z.literal('progress'), progress: jsonObject }),
  z.object({ type: z.literal('event'), eventType: z.string().min(1).max(100), payload: jsonObject }),
  z.object({ type: z.literal('checkpoint'), value: json }),
  z.object({
    type: z.literal('log'),
    level: z.enum(['debug', 'info', 'warn', 'error']),
    message: z.string(),
    fields: jsonObject,
  }),
  z.object({
    type: z.literal('storage'),
    request: z.int(),
    operation: z.discriminatedUnion('kind', [
      z.object({ kind: z.literal('get'), key: z.string() }),
      z.object({
        kind: z.literal('put'),
        name: z.string().regex(/^[\w.-]{1,100}$/),
        contentType: z.string().max(200),
        sizeBytes: z.int().nonnegative(),
      }),
      z.object({ kind: z.literal('discard'), key: z.string(), reason: z.string().max(1000) }),
    ]),
  }),
  z.object({ type: z.literal('result'), result: json }),
  z.object({
    type: z.literal('failure'),
    errorCode: z.string().max(100),
    message: z.string(),
    stack: z.string(),
    retry: z.boolean(),
  }),
])
export type FromChild = z.output<typeof fromChild>
export type StorageRequest = Extract<FromChild, { type: 'storage' }>
export type StorageOperation = StorageRequest['operation']
