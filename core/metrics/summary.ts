/** Counts of jobs and what follows from them. Pure. */
import { type JobStatus, jobStatuses } from '../job-state.ts'

export type StatusCounts = Record<JobStatus, number>

/** Jobs that succeeded or failed with an attempt of their own, and sums over their last attempts. */
export interface Tried {
  tried: number
  /** Those that took more than one attempt. */
  retried: number
  runSeconds: number
  /** From enqueuing to the beginning of that attempt. */
  queueSeconds: number
}

export interface Performance {
  /** Of the jobs that succeeded or failed, the part that succeeded; 0 when there are none. */
  successRate: number
  /** Mean seconds of the last attempt of those jobs; null when there are none. */
  avgProcessingTime: number | null
  /** Mean seconds from their enqueuing to the beginning of that attempt; null when there are none. */
  avgQueueTime: number | null
  /** The part of them that took more than one attempt; 0 when there are none. */
  retryRate: number
}

export const noTries: Tried = { tried: 0, retried: 0, runSeconds: 0, queueSeconds: 0 }

export function noJobs(): StatusCounts {
  return { queued: 0, running: 0, succeeded: 0, failed: 0, cancelling: 0, cancelled: 0 }
}

export function totalOf(byStatus: StatusCounts): number {
  return jobStatuses.reduce((total, status) => total + byStatus[status], 0)
}

export function sumOfStatuses(counts: StatusCounts[]): StatusCounts {
  const sum = noJobs()
  for (const byStatus of counts) for (const status of jobStatuses) sum[status] += byStatus[status]
  return sum
}

export function sumOfTries(tries: Tried[]): Tried {
  const sum = (name: keyof Tried) => tries.reduce((total, one) => total + one[name], 0)
  return {
    tried: sum('tried'),
    retried: sum('retried'),
    runSeconds: sum('runSeconds'),
    queueSeconds: sum('queueSeconds'),
  }
}

export function performanceOf({ succeeded, failed }: StatusCounts, tries: Tried): Performance {
  const { tried, retried, runSeconds, queueSeconds } = tries
  return {
    successRate: succeeded + failed === 0 ? 0 : succeeded / (succeeded + failed),
    avgProcessingTime: tried === 0 ? null : runSeconds / tried,
    avgQueueTime: tried === 0 ? null : queueSeconds / tried,
    retryRate: tried === 0 ? 0 : retried / tried,
  }
}
