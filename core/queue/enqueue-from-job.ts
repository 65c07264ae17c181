/** What a job, or a hook, enqueues on its own: checked as a request to the API is. */

import type { Sql } from '../db.ts'
import { DomainError, wholeMessage } from '../errors.ts'
import { JobError } from '../job.ts'
import { enqueuedJob, faultsIn } from '../job-shapes.ts'
import { enqueueAnother } from './enqueue.ts'

/** @throws JobError invalid_job, enqueue_failed */
export async function enqueueFromJob(sql: Sql, given: unknown): Promise<{ jobId: string; created: boolean }> {
  const refused = (code: string, problem: string, retry: boolean) =>
    new JobError(code, `The job could not be enqueued: ${problem}`, { retry })
  const wanted = enqueuedJob.safeParse(given)
  if (!wanted.success) throw refused('invalid_job', faultsIn(wanted.error, 'job'), false)
  try {
    return await enqueueAnother(sql, wanted.data)
  } catch (error) {
    const isFault = error instanceof DomainError
    throw refused(isFault ? 'invalid_job' : 'enqueue_failed', wholeMessage(error), !isFault)
  }
}
