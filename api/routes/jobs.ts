/** Jobs: enqueue, list, read, logs, cancel. */
import { Hono } from 'hono'
import { z } from 'zod'
import { JobAlreadyFinished, JobNotFound } from '../../core/errors.ts'
import { jobStatuses } from '../../core/job-state.ts'
import { cancel } from '../../core/queue/cancel.ts'
import { type EnqueueInput, enqueue, enqueueMany } from '../../core/queue/enqueue.ts'
import { readLogs } from '../../core/queue/logs.ts'
import { listJobs, readAttempts, readJob } from '../../core/queue/read.ts'
import type { ApiEnv, AppDependencies } from '../app.ts'
import { bulkJsonBody, id, invalidRequest, jsonBody, queryInteger, text, validate } from '../validate.ts'

export const priority = z.int32().describe('Higher runs first.')

const seconds = z.number().positive()

const EnqueueBody = z.object({
  definitionKey: text(255),
  definitionVersion: z.int32().positive().optional(),
  params: z.record(z.string(), z.json()).optional(),
  priority: priority.optional(),
  maxAttempts: z.int().min(1).max(1000).optional(),
  timeoutSeconds: seconds.max(604_800).optional(),
  backoff: z
    .strictObject({
      baseSeconds: z.number().min(0),
      factor: z.number().min(1),
      maxSeconds: z.number().min(0),
    })
    .partial()
    .optional(),
  idempotencyKey: text(255).optional(),
  uniqueFor: seconds.max(31_536_000).optional(),
  delaySeconds: z.number().min(0).max(31_536_000).optional(),
  scheduledAt: z.iso.datetime({ offset: true, error: 'expected an ISO 8601 time with its zone' }).optional(),
  queue: text(100).optional(),
  concurrencyKey: text(255).optional(),
  concurrencyKeyLimit: z.int32().positive().optional(),
  dependsOn: z.array(id).min(1).max(1000).optional(),
})
type EnqueueBody = z.output<typeof EnqueueBody>

/** Each pair says the same thing in two ways. */
const exclusive = [
  ['delaySeconds', 'scheduledAt'],
  ['idempotencyKey', 'uniqueFor'],
] as const
const Enqueue = EnqueueBody.superRefine((body, context) => {
  for (const [one, other] of exclusive) {
    if (body[one] !== undefined && body[other] !== undefined) {
      context.addIssue({ code: 'custom', path: [other], message: `can't stand beside ${one}` })
    }
  }
})

const BulkBody = z.object({ jobs: z.array(Enqueue).min(1).max(10_000) })

const LogQuery = z.object({
  after: z
    .string()
    .regex(/^\d{1,18}$/, 'expected the id of a log entry')
    .optional(),
  limit: queryInteger(1, 10_000).default(1000),
})

const ListQuery = z.object({
  status: z.enum(jobStatuses).optional(),
  definitionKey: text(255).optional(),
  limit: queryInteger(1, 1000).default(100),
  offset: queryInteger(0, 2_147_483_647).default(0),
})

const EnqueueHeader = z.object({ 'idempotency-key': text(255).optional() })

const JobParam = z.object({ jobId: id })

export function jobRoutes({ sql, config }: AppDependencies): Hono<ApiEnv> {
  const routes = new Hono<ApiEnv>()

  const inputOf = ({ uniqueFor, scheduledAt, ...body }: EnqueueBody): EnqueueInput => ({
    ...body,
    uniqueForSeconds: uniqueFor,
    scheduledAt: scheduledAt === undefined ? undefined : new Date(scheduledAt),
    idempotencyTtlSeconds: config.IDEMPOTENCY_TTL_SECONDS,
  })

  routes.post('/', jsonBody, validate('header', EnqueueHeader), validate('json', Enqueue), async (c) => {
    const body = c.req.valid('json')
    const idempotencyKey = c.req.valid('header')['idempotency-key'] ?? body.idempotencyKey
    if (idempotencyKey !== undefined && body.uniqueFor !== undefined) {
      throw invalidRequest([{ path: ['uniqueFor'], message: "can't stand beside an idempotency key" }])
    }
    const { job, created } = await enqueue(sql, inputOf({ ...body, idempotencyKey }))
    return c.json({ jobId: job.id, status: job.status }, created ? 201 : 200)
  })

  routes.post('/bulk', bulkJsonBody, validate('json', BulkBody), async (c) => {
    const enqueued = await enqueueMany(sql, c.req.valid('json').jobs.map(inputOf))
    return c.json(
      { jobs: enqueued.map(({ job, created }) => ({ jobId: job.id, status: job.status, created })) },
      201,
    )
  })

  routes.get('/', validate('query', ListQuery), async (c) => {
    const { jobs, total } = await listJobs(sql, c.req.valid('query'))
    return c.json({
      jobs: jobs.map(({ params: _params, result: _result, progress: _progress, ...job }) => job),
      total,
    })
  })

  routes.get('/:jobId', validate('param', JobParam), async (c) => {
    const { jobId } = c.req.valid('param')
    const [job, attemptHistory] = await Promise.all([readJob(sql, jobId), readAttempts(sql, jobId)])
    if (job === null) throw new JobNotFound(jobId)
    return c.json({ ...job, attemptHistory })
  })

  routes.get('/:jobId/logs', validate('param', JobParam), validate('query', LogQuery), async (c) => {
    const { jobId } = c.req.valid('param')
    if ((await readJob(sql, jobId)) === null) throw new JobNotFound(jobId)
    return c.json({ jobId, logs: await readLogs(sql, jobId, c.req.valid('query')) })
  })

  routes.post('/:jobId/cancel', validate('param', JobParam), async (c) => {
    const { jobId } = c.req.valid('param')
    const outcome = await cancel(sql, jobId)
    switch (outcome.kind) {
      case 'not_found':
        throw new JobNotFound(jobId)
      case 'already_finished':
        throw new JobAlreadyFinished(jobId, outcome.status)
      case 'cancelled':
        return c.json({ message: 'The job is cancelled.' }, 202)
      case 'cancelling':
        return c.json({ message: 'The job is being stopped.' }, 202)
    }
  })

  return routes
}
