/** What is sent of an event: the body of a message, as Standard Webhooks shapes it. Pure. */
import type { StreamItem } from '../events/read.ts'
import { isFinal, type JobStatus } from '../job-state.ts'
import type { Json, JsonObject } from '../json.ts'
import type { WebhookEventType } from './row.ts'

/** Results above it are left out: endpoints should not have to take in everything. */
export const resultLimitBytes = 16 * 1024

/** What is told of a job. */
export interface ToldJob {
  jobId: string
  definitionKey: string
  definitionVersion: number
  queue: string
  attempts: number
  maxAttempts: number
  queuedAt: Date
  startedAt: Date | null
  finishedAt: Date | null
  parentId: string | null
  tags: string[]
  metadata: JsonObject
  /** Null above the limit, and until it has succeeded. */
  result: Json
  resultBytes: number | null
}

const statusAfter: Record<WebhookEventType, JobStatus> = {
  'job.queued': 'queued',
  'job.started': 'running',
  'job.retry_scheduled': 'queued',
  'job.succeeded': 'succeeded',
  'job.failed': 'failed',
  'job.cancelled': 'cancelled',
}

/** The job may have gone on since: what the event tells comes from the event. */
export function bodyOf(type: WebhookEventType, { at, payload }: StreamItem, job: ToldJob): string {
  const { result, resultBytes, attempts, startedAt, finishedAt, ...rest } = job
  const status = statusAfter[type]
  const hasEnded = isFinal(status)
  const isOmitted = resultBytes !== null && resultBytes > resultLimitBytes
  return JSON.stringify({
    type,
    timestamp: at,
    data: {
      ...rest,
      status,
      attempts: hasEnded ? attempts : (payload.attempt ?? 0),
      startedAt: type === 'job.queued' ? null : startedAt,
      finishedAt: hasEnded ? finishedAt : null,
      errorCode: payload.errorCode ?? null,
      errorSummary: payload.message ?? null,
      ...(status === 'succeeded' ? { result, resultOmitted: isOmitted } : {}),
      // Relative to the API: we do not know by which name the receiver reaches it.
      url: `/v1/jobs/${job.jobId}`,
    },
  })
}

/** Of a test that somebody asked for. */
export function testBody(at: Date, webhookId: string): string {
  return JSON.stringify({ type: 'webhook.test', timestamp: at, data: { webhookId } })
}
