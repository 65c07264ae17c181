/** What the end of a process means for its job. Pure. Each way to die has an error code of its own. */
import { type BackoffPolicy, backoffSeconds } from '../core/backoff.ts'
import type { End } from '../core/queue/finish.ts'
import type { ProcessEnd } from './job-process.ts'

const mebibyte = 1024 * 1024

export interface EndedJob {
  attempt: number
  timeoutSeconds: number
  memoryLimitMb: number
  scratchLimitMb: number
  backoff: BackoffPolicy
}

/** What is known of a process that did not end as it should. */
export interface Forensics {
  peakMemoryBytes: number
  lastLines: string[]
}

type Failure = Extract<End, { kind: 'failed' }>

/** Every end but waiting for children, which is none of the attempt's. */
export type EndOfProcess = Exclude<ProcessEnd, { kind: 'waits' }>

/** @returns null when the lease is lost: the job is no longer ours to end */
export function endOf(
  end: EndOfProcess,
  job: EndedJob,
  { peakMemoryBytes, lastLines }: Forensics,
): End | null {
  const threw = (failure: Partial<Failure> & Pick<Failure, 'errorCode' | 'message'>): Failure => ({
    kind: 'failed',
    outcome: 'threw',
    retry: true,
    retryInSeconds: backoffSeconds(job.attempt, job.backoff),
    crashed: false,
    ...failure,
  })
  const died = (failure: Parameters<typeof threw>[0]) =>
    threw({ ...failure, details: { ...failure.details, peakMemoryBytes, lastLines } })

  switch (end.kind) {
    case 'succeeded':
    case 'snoozed':
      return end
    case 'threw': {
      const { errorCode, message, stack, retry, retryInSeconds } = end
      const details = { ...(stack === '' ? {} : { stack }), ...end.details }
      return threw({
        errorCode,
        message,
        retry,
        ...(retryInSeconds === undefined ? {} : { retryInSeconds }),
        ...(Object.keys(details).length === 0 ? {} : { details }),
      })
    }
    case 'exited':
      return died({
        outcome: 'exited',
        errorCode: end.exitCode === 0 ? 'exited_without_result' : 'process_exited',
        message: `The job process exited with status ${end.exitCode} and no result.`,
        crashed: true,
        details: { exitCode: end.exitCode },
      })
    case 'signalled':
      return died({
        outcome: 'signalled',
        errorCode: 'process_killed',
        message: `The job process was killed by ${end.signal}.`,
        crashed: true,
        details: { signal: end.signal },
      })
    case 'broke_protocol':
      return died({
        outcome: 'broke_protocol',
        errorCode: 'protocol_error',
        message: `The job process broke its protocol with the worker. ${end.problem}`,
        crashed: true,
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
          return died({
            outcome: 'timed_out',
            errorCode: 'timed_out',
            message: `The attempt took longer than its limit of ${job.timeoutSeconds} s.`,
          })
        case 'out_of_memory':
          return died({
            outcome: 'out_of_memory',
            errorCode: 'out_of_memory',
            message: `The job took more memory than there is: its limit is ${job.memoryLimitMb} MiB.`,
            crashed: true,
          })
        case 'container_full':
          return died({
            outcome: 'out_of_memory',
            errorCode: 'out_of_memory',
            message:
              "The memory of the worker's container was about to run out, and this job had the most of it: " +
              `${Math.round(peakMemoryBytes / mebibyte)} MiB. Its own limit is ${job.memoryLimitMb} MiB.`,
            crashed: true,
          })
        case 'scratch_full':
          return died({
            outcome: 'scratch_full',
            errorCode: 'scratch_limit_exceeded',
            message: `The job wrote more than ${job.scratchLimitMb} MiB into its scratch directory.`,
          })
      }
  }
}

/** By no fault of the job: another transaction holds a lock on what its children need, as a lane that it has just made. */
export function childrenHeldUp({ attempt, backoff }: Pick<EndedJob, 'attempt' | 'backoff'>): Failure {
  return {
    kind: 'failed',
    outcome: 'worker_error',
    errorCode: 'worker_error',
    message: 'The children could not be enqueued: another transaction has held a lock on what they need.',
    retry: true,
    retryInSeconds: backoffSeconds(attempt, backoff),
    crashed: false,
  }
}
