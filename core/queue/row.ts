/** Maps rows of `jobs` and `job_history` to what the rest of the code knows as a job. */
import type postgres from 'postgres'
import type { JobStatus } from '../job-state.ts'
import type { Json, JsonObject } from '../json.ts'

/** Names one claim of one job; every write of an owner carries it. `epoch` only ever grows. */
export interface Lease {
  jobId: string
  epoch: string
}

export interface JobView {
  jobId: string
  definitionKey: string
  definitionVersion: number
  queue: string
  status: JobStatus
  attempts: number
  maxAttempts: number
  priority: number
  queuedAt: Date
  scheduledAt: Date | null
  startedAt: Date | null
  finishedAt: Date | null
  heartbeatAt: Date | null
  workerId: string | null
  errorCode: string | null
  errorSummary: string | null
  parentId: string | null
  tags: string[]
  metadata: JsonObject
  params: JsonObject
  progress: JsonObject | null
  result: Json
  /** Null: it is in no trace. */
  traceId: string | null
}

/** postgres.js wants its own JSON type; ours is the same set of values. */
export function jsonParameter(value: Json): postgres.JSONValue {
  return value as postgres.JSONValue
}
