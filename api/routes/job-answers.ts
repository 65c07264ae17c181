/** What is answered about jobs, for the document and for the tests that hold the answers against it. */
import { z } from 'zod'
import { jobStatuses } from '../../core/job-state.ts'
import { waitReasons } from '../../core/queue/waits-for.ts'

const moment = z.iso.datetime()
const momentOrNull = moment.nullable()
const anyObject = z.record(z.string(), z.unknown())
const jobId = z.uuid()

export const Status = z.enum(jobStatuses).meta({
  id: 'JobStatus',
  description: 'A delayed job and one that waits for its retry are queued, with scheduledAt in the future.',
})

export const Enqueued = z.object({ jobId, status: Status }).meta({ id: 'Enqueued' })

export const JobSummary = z
  .object({
    jobId,
    definitionKey: z.string(),
    definitionVersion: z.int(),
    queue: z.string(),
    status: Status,
    attempts: z.int().describe('Attempts that were begun and charged.'),
    maxAttempts: z.int(),
    priority: z.int(),
    queuedAt: moment,
    scheduledAt: momentOrNull,
    startedAt: momentOrNull,
    finishedAt: momentOrNull,
    heartbeatAt: momentOrNull,
    workerId: z.string().nullable(),
    errorCode: z.string().nullable(),
    errorSummary: z.string().nullable(),
    parentId: jobId.nullable(),
    tags: z.array(z.string()),
    traceId: z.string().nullable().describe('Trace that its attempts belong to, 32 hex digits.'),
  })
  .meta({ id: 'JobSummary' })

export const Job = JobSummary.extend({
  params: anyObject,
  result: z.unknown().describe('What the job returned; null until it succeeded.'),
  progress: anyObject.nullable().describe('percent (0 to 100), etaSeconds and what the job adds to it.'),
  metadata: anyObject,
  attemptHistory: z
    .array(
      z.object({
        attempt: z.int(),
        workerId: z.string(),
        startedAt: moment,
        endedAt: moment,
        outcome: z.string(),
        errorCode: z.string().nullable(),
        error: anyObject.nullable(),
      }),
    )
    .describe('Attempts that have ended, oldest first.'),
  children: z
    .partialRecord(Status, z.int())
    .nullable()
    .describe('How many children there are in each status; null for a job without any.'),
  webhookUrl: z.string().nullable(),
  waitsFor: z
    .object({ reason: z.enum(waitReasons), jobIds: z.array(jobId), concurrencyKey: z.string().nullable() })
    .nullable()
    .describe(
      'What keeps a queued job from running: scheduledAt (time), jobs that must end first (dependencies, children: jobIds), its paused queue, its concurrencyKey, that no worker serves it, the limit of its definition, or that no slot is free; null for one that is not queued.',
    ),
}).meta({ id: 'Job' })

/** @param created false: the job of an earlier request is answered */
export function messageOfRetry(created: boolean): string {
  return created ? 'The job is queued again.' : 'The job was retried before.'
}

export const exampleId = '019a8b3e-5c1f-7c3a-9f4e-2d6b8a1c0e57'
const exampleTime = '2030-01-31T09:30:00.000Z'

export const exampleSummary = {
  jobId: exampleId,
  definitionKey: 'echo',
  definitionVersion: 1,
  queue: 'default',
  status: 'succeeded',
  attempts: 1,
  maxAttempts: 3,
  priority: 0,
  queuedAt: exampleTime,
  scheduledAt: null,
  startedAt: exampleTime,
  finishedAt: exampleTime,
  heartbeatAt: exampleTime,
  workerId: 'worker-1',
  errorCode: null,
  errorSummary: null,
  parentId: null,
  tags: ['greeting'],
  traceId: null,
}

export const exampleJob = {
  ...exampleSummary,
  params: { message: 'hello' },
  result: { message: 'hello' },
  progress: null,
  metadata: {},
  attemptHistory: [
    {
      attempt: 1,
      workerId: 'worker-1',
      startedAt: exampleTime,
      endedAt: exampleTime,
      outcome: 'succeeded',
      errorCode: null,
      error: null,
    },
  ],
  children: null,
  webhookUrl: null,
  waitsFor: null,
}
