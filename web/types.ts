/** What the API answers, as its own client has it. */
import type { InferResponseType } from 'hono/client'
import type { api } from './api.ts'

type V1 = typeof api.v1

export type JobPage = InferResponseType<V1['jobs']['$get']>
export type JobSummary = JobPage['jobs'][number]
export type Job = InferResponseType<V1['jobs'][':jobId']['$get']>
export type JobStatus = JobSummary['status']
export type Queue = InferResponseType<V1['queues']['$get']>['queues'][number]
export type Worker = InferResponseType<V1['workers']['$get']>['workers'][number]
