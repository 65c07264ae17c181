/** What the end of a process means for its job. Pure. */
import { type BackoffPolicy, backoffSeconds } from '../core/backoff.ts'
import type { End } from '../core/queue/finish.ts'
import type { ProcessEnd } from './job-process.ts'

/** @returns null when the lease is lost: the job is no longer ours to end */
export function endOf(
  end: ProcessEnd,
  job: { attempt: number; timeoutSeconds: number; backoff: BackoffPolicy },
): End | null {
  const failed = (failure: {
    outcome: string
    errorCode: string
    message: string
    retry?: boolean
    crashed?: boolean
    details?: Record<string, string>
  }): End => ({
    kind: 'failed',
    retry: true,
    crashed: false,
    retryInSeconds: backoffSeconds(job.attempt, job.backoff),
    ...failure,
  })
  switch (end.kind) {
    case 'succeeded':
      return end
    case 'threw':
      return failed({
        outcome: 'threw',
        errorCode: end.errorCode,
        message: end.message,
        retry: end.retry,
        ...(end.stack === '' ? {} : { details: { stack: end.stack } }),
      })
    case 'exited':
      return failed({
        outcome: 'exited',
        errorCode: 'process_exited',
        message: `The job process exited with status ${end.exitCode} and no result.`,
        crashed: true,
        details: { output: end.output },
      })
    case 'signalled':
      return failed({
        outcome: 'signalled',
        errorCode: 'process_killed',
        message: `The job process was killed by ${end.signal}.`,
        crashed: true,
        details: { signal: end.signal, output: end.output },
      })
    case 'stopped':
      switch (end.reason) {
        case 'cancelled':
          return { kind: 'cancelled' }
        case 'interrupted':
          return { kind: 'interrupted' }
        case 'lease_lost':
          return null
        case 'timed_out':
          return failed({
            outcome: 'timed_out',
            errorCode: 'timed_out',
            message: `The attempt took longer than its limit of ${job.timeoutSeconds} s.`,
          })
      }
  }
}
