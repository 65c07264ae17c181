/** Queues: how full they are, pause and resume. */
import { Hono } from 'hono'
import { z } from 'zod'
import { liveCountedAt } from '../../core/metrics/live.ts'
import { pauseQueue, resumeQueue } from '../../core/queues/pause.ts'
import { listQueues } from '../../core/queues/read.ts'
import type { ApiEnv, AppDependencies } from '../app.ts'
import { operation } from '../openapi/operation.ts'
import { text, validate } from '../validate.ts'
import { liveCounted } from './metrics.ts'

const QueueParam = z.object({ name: text(100) })

const Queue = z
  .object({
    name: z.string(),
    pausedAt: z.iso.datetime().nullable(),
    ready: z.int().describe('Claimable now.'),
    blocked: z.int().describe('Held back by a concurrency key.'),
    scheduled: z.int().describe('Due later: delayed, or backing off.'),
    running: z.int(),
    waiting: z.int().describe('Waiting for other jobs.'),
    oldestAgeSeconds: z.number().nullable().describe('How long the oldest claimable job has stood in line.'),
  })
  .meta({ id: 'Queue' })

const example = {
  name: 'default',
  pausedAt: null,
  ready: 12,
  blocked: 0,
  scheduled: 3,
  running: 4,
  waiting: 0,
  oldestAgeSeconds: 0.8,
}

const Done = z.object({ name: z.string(), message: z.string() })

export function queueRoutes({ sql }: AppDependencies) {
  return new Hono<ApiEnv>()
    .get(
      '/',
      operation({
        summary: 'List the queues',
        answers: {
          200: {
            description: 'By name: those that have jobs, are paused or are named by a definition.',
            schema: z.object({ queues: z.array(Queue), liveCountedAt: liveCounted }),
            example: { queues: [example], liveCountedAt: null },
          },
        },
      }),
      async (c) => {
        const [queues, countedAt] = await Promise.all([listQueues(sql), liveCountedAt(sql)])
        return c.json({ queues, liveCountedAt: countedAt })
      },
    )
    .post(
      '/:name/pause',
      operation({
        summary: 'Pause a queue',
        answers: {
          200: {
            description: 'Its jobs wait; what runs goes on.',
            schema: Done,
            example: { name: 'default', message: 'The queue is paused; what runs goes on.' },
          },
        },
      }),
      validate('param', QueueParam),
      async (c) => {
        const { name } = c.req.valid('param')
        await pauseQueue(sql, name)
        return c.json({ name, message: 'The queue is paused; what runs goes on.' })
      },
    )
    .post(
      '/:name/resume',
      operation({
        summary: 'Resume a queue',
        answers: {
          200: {
            description: 'Its jobs go on.',
            schema: Done,
            example: { name: 'default', message: 'The queue goes on.' },
          },
        },
      }),
      validate('param', QueueParam),
      async (c) => {
        const { name } = c.req.valid('param')
        await resumeQueue(sql, name)
        return c.json({ name, message: 'The queue goes on.' })
      },
    )
}
