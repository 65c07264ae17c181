/** Workers and schedulers that live. */
import { Hono } from 'hono'
import { z } from 'zod'
import { listWorkers, silentSeconds } from '../../core/workers/read.ts'
import type { ApiEnv, AppDependencies } from '../app.ts'
import { operation } from '../openapi/operation.ts'

const Worker = z
  .object({
    id: z.string(),
    kind: z.enum(['worker', 'scheduler']),
    slots: z.int().describe('Jobs it runs at once.'),
    runningJobs: z.int(),
    startedAt: z.iso.datetime(),
    heartbeatAt: z.iso.datetime(),
    alive: z.boolean().describe(`Whether it was heard of in the last ${silentSeconds} seconds.`),
    leader: z.boolean().describe('Whether it is the scheduler that fires the schedules.'),
    info: z.record(z.string(), z.unknown()).describe('Queues, definitions, process id, version of Bun.'),
  })
  .meta({ id: 'Worker' })

const example = {
  id: 'worker-1:4711',
  kind: 'worker',
  slots: 4,
  runningJobs: 2,
  startedAt: '2026-11-26T09:00:00.000Z',
  heartbeatAt: '2026-11-26T09:12:30.000Z',
  alive: true,
  leader: false,
  info: { queues: [], definitions: ['echo@1'], pid: 4711, bun: '1.4.5' },
}

export function workerRoutes({ sql }: AppDependencies) {
  return new Hono<ApiEnv>().get(
    '/',
    operation({
      summary: 'List workers and schedulers',
      answers: {
        200: {
          description: 'By kind and id. Those that ended well are not among them.',
          schema: z.object({ workers: z.array(Worker) }),
          example: { workers: [example] },
        },
      },
    }),
    async (c) => c.json({ workers: await listWorkers(sql) }),
  )
}
