/** Queues: how full they are, pause and resume. */
import { Hono } from 'hono'
import { z } from 'zod'
import { pauseQueue, resumeQueue } from '../../core/queues/pause.ts'
import { listQueues } from '../../core/queues/read.ts'
import type { ApiEnv, AppDependencies } from '../app.ts'
import { text, validate } from '../validate.ts'

const QueueParam = z.object({ name: text(100) })

export function queueRoutes({ sql }: AppDependencies): Hono<ApiEnv> {
  const routes = new Hono<ApiEnv>()

  routes.get('/', async (c) => c.json({ queues: await listQueues(sql) }))

  routes.post('/:name/pause', validate('param', QueueParam), async (c) => {
    const { name } = c.req.valid('param')
    await pauseQueue(sql, name)
    return c.json({ name, message: 'The queue is paused; what runs goes on.' })
  })

  routes.post('/:name/resume', validate('param', QueueParam), async (c) => {
    const { name } = c.req.valid('param')
    await resumeQueue(sql, name)
    return c.json({ name, message: 'The queue goes on.' })
  })

  return routes
}
