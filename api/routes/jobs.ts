/** Jobs: enqueue, list, read, events, cancel. */
import { Hono } from 'hono'
import { z } from 'zod'
import { JobAlreadyFinished, JobNotFound } from '../../core/errors.ts'
import { readEvents } from '../../core/events/read.ts'
import { jobStatuses } from '../../core/job-state.ts'
import { cancel } from '../../core/queue/cancel.ts'
import { enqueue } from '../../core/queue/enqueue.ts'
import { listJobs, readAttempts, readJob } from '../../core/queue/read.ts'
import type { ApiEnv, AppDependencies } from '../app.ts'
import { id, jsonBody, queryInteger, text, validate } from '../validate.ts'

export const priority = z.int32().describe('Higher runs first.')

const EnqueueBody = z.object({
  definitionKey: text(255),
  definitionVersion: z.int32().positive().optional(),
  params: z.record(z.string(), z.json()).optional(),
  priority: priority.optional(),
  maxAttempts: z.int().min(1).max(1000).optional(),
  idempotencyKey: text(255).optional(),
})

const ListQuery = z.object({
  status: z.enum(jobStatuses).optional(),
  definitionKey: text(255).optional(),
  limit: queryInteger(1, 1000).default(100),
  offset: queryInteger(0, 2_147_483_647).default(0),
})

const JobParam = z.object({ jobId: id })

export function jobRoutes({ sql, config }: AppDependencies): Hono<ApiEnv> {
  const routes = new Hono<ApiEnv>()

  routes.post('/', jsonBody, validate('json', EnqueueBody), async (c) => {
    const { job, created } = await enqueue(sql, {
      ...c.req.valid('json'),
      idempotencyTtlSeconds: config.IDEMPOTENCY_TTL_SECONDS,
    })
    return c.json({ jobId: job.id, status: job.status }, created ? 201 : 200)
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

  routes.get('/:jobId/events', validate('param', JobParam), async (c) => {
    const { jobId } = c.req.valid('param')
    if ((await readJob(sql, jobId)) === null) throw new JobNotFound(jobId)
    return c.json({ jobId, events: await readEvents(sql, jobId) })
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
