/** What happened to jobs. */
import { Hono } from 'hono'
import { z } from 'zod'
import { JobNotFound } from '../../core/errors.ts'
import { readEvents } from '../../core/events/read.ts'
import { readJob } from '../../core/queue/read.ts'
import type { ApiEnv, AppDependencies } from '../app.ts'
import { id, validate } from '../validate.ts'

const JobParam = z.object({ jobId: id })

export function eventRoutes({ sql }: AppDependencies) {
  return new Hono<ApiEnv>().get('/jobs/:jobId/events', validate('param', JobParam), async (c) => {
    const { jobId } = c.req.valid('param')
    if ((await readJob(sql, jobId)) === null) throw new JobNotFound(jobId)
    return c.json({ jobId, events: await readEvents(sql, jobId) })
  })
}
