/** What the API answers, as its own client has it. */
import type { InferResponseType } from 'hono/client'
import type { api } from './api.ts'

type V1 = typeof api.v1

export type JobPage = InferResponseType<V1['jobs']['$get']>
export type JobSummary = JobPage['jobs'][number]
export type Job = InferResponseType<V1['jobs'][':jobId']['$get']>
export type JobStatus = JobSummary['status']
export type QueuePage = InferResponseType<V1['queues']['$get']>
export type Queue = QueuePage['queues'][number]
export type Worker = InferResponseType<V1['workers']['$get']>['workers'][number]
export type Definition = InferResponseType<V1['definitions']['$get']>['definitions'][number]
export type DeadLetterGroup = InferResponseType<V1['dlq']['groups']['$get']>['groups'][number]
export type DeadLetter = InferResponseType<V1['dlq']['$get']>['jobs'][number]
export type Schedule = InferResponseType<V1['schedules']['$get']>['schedules'][number]
export type Fire = InferResponseType<V1['schedules'][':scheduleId']['fires']['$get']>['fires'][number]
export type ApiKey = InferResponseType<V1['keys']['$get']>['keys'][number]
export type Scope = ApiKey['scopes'][number]
export type Webhook = InferResponseType<V1['webhooks']['$get']>['webhooks'][number]
export type Delivery = InferResponseType<
  V1['webhooks'][':webhookId']['deliveries']['$get']
>['deliveries'][number]
export type UploadProgress = InferResponseType<V1['videos']['uploads'][':uploadId']['$get']>
export type OpenedUpload = InferResponseType<V1['videos']['uploads']['$post']>
export type VideoStatus = InferResponseType<V1['videos'][':jobId']['status']['$get']>
