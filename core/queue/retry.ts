/**
 * Runs a finished job again, as a new job with the same parameters and limits; its backoff and the limit of its
 * concurrency key are kept with dead letters alone, and the definition's otherwise.
 */

import type { Sql } from '../db.ts'
import { redriveOne } from '../dead-letters/redrive.ts'
import type { JobStatus } from '../job-state.ts'
import type { JsonObject } from '../json.ts'
import { type EnqueueInput, enqueue } from './enqueue.ts'
import { statusIfAny } from './read.ts'

export type Retried =
  /** `created`: false when it was retried before, by the job that is named. */
  | { kind: 'retried'; jobId: string; status: JobStatus; created: boolean }
  | { kind: 'not_found' }
  | { kind: 'not_finished'; status: JobStatus }

interface Finished {
  definitionKey: string
  definitionVersion: number
  queue: string
  priority: number
  maxAttempts: number
  timeoutSeconds: number
  concurrencyKey: string | null
  params: JsonObject
  tags: string[]
  metadata: JsonObject
  webhookUrl: string | null
  letterId: string | null
}

/**
 * A failed job is redriven out of the dead letters, however often it is asked for: that makes one job. Any other is
 * enqueued anew each time.
 * @throws OnlyAsChild; DefinitionNotFound, InvalidParams when the definition changed since
 */
export async function retryJob(sql: Sql, jobId: string): Promise<Retried> {
  const [job] = await sql<Finished[]>`
    select
      job_history.definition_key, job_history.definition_version, job_history.queue, job_history.priority,
      job_history.max_attempts, job_history.timeout_seconds, job_history.concurrency_key, job_history.params,
      job_history.tags, job_history.metadata, own.url as webhook_url, letters.id as letter_id
    from job_server.job_history
    left join job_server.dead_letters as letters on letters.original_job_id = job_history.id
    left join job_server.job_webhooks as own on own.job_id = job_history.id
    where job_history.id = ${jobId}`
  if (job === undefined) {
    const status = await statusIfAny(sql, jobId)
    return status === null ? { kind: 'not_found' } : { kind: 'not_finished', status }
  }
  const { letterId, concurrencyKey, webhookUrl, ...again } = job
  if (letterId !== null) {
    const redriven = await redriveOne(sql, letterId)
    if (redriven !== null) {
      const { jobId, status, created } = redriven
      return { kind: 'retried', jobId, status, created }
    }
  }
  const input: EnqueueInput = {
    ...again,
    ...(concurrencyKey === null ? {} : { concurrencyKey }),
    ...(webhookUrl === null ? {} : { webhookUrl }),
  }
  const enqueued = await enqueue(sql, input)
  // video_additions_job_idx
  await sql`
    with added as (
      insert into job_server.video_additions (video_id, job_id)
      select video_id, ${enqueued.job.id} from job_server.video_additions where job_id = ${jobId}
    )
    insert into job_server.events (job_id, event_type, payload)
    values (${jobId}, 'retried', jsonb_build_object('jobId', ${enqueued.job.id}::text))`
  return { kind: 'retried', jobId: enqueued.job.id, status: enqueued.job.status, created: true }
}
