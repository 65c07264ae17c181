/** Queues: how full they are, pause and resume. */
import { Hono } from 'hono'
import { z } from 'zod'
import { liveCountedAt } from '../../core/metrics/live.ts'
import { pauseQueue, resumeQueue } from '../../core/queues/pause.ts'
import { listQueues } from '../../core/queues/read.ts'
import type { ApiEnv, AppDependencies } from '../app.ts'
import { operation } from '../openapi/operation.ts'
import { queryInteger, text, validate } from '../validate.ts'
import { liveCounted } from './metrics.ts'

const QueueParam = z.object({ name: text(100) })

const ListQuery = z.strictObject({
  limit: queryInteger(1, 1000).default(1000),
  offset: queryInteger(0, 2_147_483_647).default(0),
})

const depth = {
  ready: z.int().describe('Claimable now.'),
  blocked: z.int().describe('Held back by a concurrency key.'),
  scheduled: z.int().describe('Due later: delayed, or backing off.'),
  running: z.int(),
  waiting: z.int().describe('Waiting for other jobs.'),
  oldestAgeSeconds: z.number().nullable().describe('How long the oldest claimable job has stood in line.'),
}
const QueueDepth = z.object(depth).meta({ id: 'QueueDepth' })
const Queue = z
  .object({ name: z.string(), pausedAt: z.iso.datetime().nullable(), ...depth })
  .meta({ id: 'Queue' })

const exampleDepth = { ready: 12, blocked: 0, scheduled: 3, running: 4, waiting: 0, oldestAgeSeconds: 0.8 }
const example = { name: 'default', pausedAt: null, ...exampleDepth }

const Done = z.object({ name: z.string(), message: z.string() })

export function queueRoutes({ sql }: AppDependencies) {
  return new Hono<ApiEnv>()
    .get(
      '/',
      operation({
        summary: 'List the queues',
        answers: {
          200: {
            description:
              'A page by name of those that have jobs or had some in the last days, are paused or are named by a definition; how many there are, and what stands in all of them.',
            schema: z.object({
              queues: z.array(Queue),
              total: z.int(),
              all: QueueDepth,
              liveCountedAt: liveCounted,
            }),
            example: { queues: [example], total: 1, all: exampleDepth, liveCountedAt: null },
          },
        },
      }),
      validate('query', ListQuery),
      async (c) => {
        const [page, countedAt] = await Promise.all([
          listQueues(sql, c.req.valid('query')),
          liveCountedAt(sql),
        ])
        return c.json({ ...page, liveCountedAt: countedAt })
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
