/** Workers and schedulers that live. */
import { Hono } from 'hono'
import { listWorkers } from '../../core/workers/read.ts'
import type { ApiEnv, AppDependencies } from '../app.ts'

export function workerRoutes({ sql }: AppDependencies): Hono<ApiEnv> {
  const routes = new Hono<ApiEnv>()
  routes.get('/', async (c) => c.json({ workers: await listWorkers(sql) }))
  return routes
}
