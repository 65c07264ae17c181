/** What a job, or a hook, enqueues on its own: checked as a request to the API is, and never a reason for the worker to fail. */
import type { Pool } from '../core/db.ts'
import { DomainError, wholeMessage } from '../core/errors.ts'
import { enqueueAnother } from '../core/queue/enqueue.ts'
import { type EnqueueRequest, enqueuedJob, faultsIn, type ToChild } from './protocol.ts'

/** Never throws: what can't be done is an answer too. */
export async function enqueueFromJob(sql: Pool, { request, job }: EnqueueRequest): Promise<ToChild> {
  const refused = (code: string, message: string, retry: boolean) =>
    ({ type: 'refused', request, code, message, retry }) as const
  const wanted = enqueuedJob.safeParse(job)
  if (!wanted.success) {
    const faults = faultsIn(wanted.error, 'job')
    return refused('invalid_job', `The job could not be enqueued: ${faults}`, false)
  }
  try {
    return { type: 'enqueued', request, ...(await enqueueAnother(sql, wanted.data)) }
  } catch (error) {
    const message = `The job could not be enqueued: ${wholeMessage(error)}`
    return error instanceof DomainError
      ? refused('invalid_job', message, false)
      : refused('enqueue_failed', message, true)
  }
}
