/** Whether the process lives, and whether it could do its work now. */
import { Hono } from 'hono'
import { checkDatabase } from '../../core/db.ts'
import type { ApiEnv, AppDependencies } from '../app.ts'
import { RequestProblem } from '../problem.ts'

export function healthRoutes({ sql, storage }: AppDependencies): Hono<ApiEnv> {
  const routes = new Hono<ApiEnv>()

  routes.get('/healthz', (c) => c.json({ status: 'ok' }))

  routes.get('/readyz', async (c) => {
    const checks = { database: checkDatabase(sql), storage: storage.check() }
    const names = Object.keys(checks)
    const outcomes = await Promise.allSettled(Object.values(checks))
    const failed = names.filter((_, index) => outcomes[index]?.status === 'rejected')
    if (failed.length === 0) return c.json({ status: 'ready' })
    const cause = outcomes.find(({ status }) => status === 'rejected')
    throw new RequestProblem('not_ready', `Can't be reached or used: ${failed.join(', ')}.`, [], { cause })
  })

  return routes
}
