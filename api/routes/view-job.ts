/** A job as it is answered when it is asked for by itself. */
import type { Sql } from '../../core/db.ts'
import { JobNotFound } from '../../core/errors.ts'
import { countChildren, readAttempts, readJob } from '../../core/queue/read.ts'
import { readWaitsFor } from '../../core/queue/waits-for.ts'
import { readJobWebhook } from '../../core/webhooks/read.ts'

/** @throws JobNotFound */
export async function viewJob(sql: Sql, jobId: string) {
  const job = await readJob(sql, jobId)
  if (job === null) throw new JobNotFound(jobId)
  // After the job: one that is told as ended must not lack the attempt that ended it.
  const [attemptHistory, children, webhookUrl, waitsFor] = await Promise.all([
    readAttempts(sql, jobId),
    countChildren(sql, jobId),
    readJobWebhook(sql, jobId),
    job.status === 'queued' ? readWaitsFor(sql, jobId) : null,
  ])
  return { ...job, attemptHistory, children, webhookUrl, waitsFor }
}
