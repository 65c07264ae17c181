/** What can be run. */
import { Hono } from 'hono'
import { listDefinitions } from '../../core/definitions/read.ts'
import type { ApiEnv, AppDependencies } from '../app.ts'

export function definitionRoutes({ sql }: AppDependencies): Hono<ApiEnv> {
  const routes = new Hono<ApiEnv>()
  routes.get('/', async (c) => c.json({ definitions: await listDefinitions(sql) }))
  return routes
}
