/** Answers a job, or a hook, that enqueues on its own: never a reason for the worker to fail. */
import type { Pool } from '../core/db.ts'
import { JobError } from '../core/job.ts'
import { enqueueFromJob } from '../core/queue/enqueue-from-job.ts'
import type { EnqueueRequest, ToChild } from './protocol.ts'

/** Never throws: what can't be done is an answer too. */
export async function answerEnqueue(sql: Pool, { request, job }: EnqueueRequest): Promise<ToChild> {
  try {
    return { type: 'enqueued', request, ...(await enqueueFromJob(sql, job)) }
  } catch (error) {
    if (!(error instanceof JobError)) throw error
    const { code, message, retry } = error
    return { type: 'refused', request, code, message, retry }
  }
}
