/** What happened to jobs. */
import { Hono } from 'hono'
import { z } from 'zod'
import { JobNotFound } from '../../core/errors.ts'
import { readEvents } from '../../core/events/read.ts'
import { readJob } from '../../core/queue/read.ts'
import type { ApiEnv, AppDependencies } from '../app.ts'
import { operation } from '../openapi/operation.ts'
import { id, validate } from '../validate.ts'
import { exampleId } from './job-answers.ts'

const JobParam = z.object({ jobId: id })

const Event = z
  .object({
    id: z.string(),
    eventType: z
      .string()
      .describe('queued, started, progress, succeeded and so on, or one of the job’s own.'),
    at: z.iso.datetime(),
    payload: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'Event' })

const example = { id: '42', eventType: 'started', at: '2030-01-31T09:30:00.000Z', payload: { attempt: 1 } }

export function eventRoutes({ sql }: AppDependencies) {
  return new Hono<ApiEnv>().get(
    '/jobs/:jobId/events',
    operation({
      summary: 'Events of a job',
      answers: {
        200: {
          description: 'Oldest first.',
          schema: z.object({ jobId: z.uuid(), events: z.array(Event) }),
          example: { jobId: exampleId, events: [example] },
        },
      },
      problems: ['job_not_found'],
    }),
    validate('param', JobParam),
    async (c) => {
      const { jobId } = c.req.valid('param')
      if ((await readJob(sql, jobId)) === null) throw new JobNotFound(jobId)
      return c.json({ jobId, events: await readEvents(sql, jobId) })
    },
  )
}
