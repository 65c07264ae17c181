/** Metrics for Prometheus: of the fleet, from PostgreSQL, and of this process. */
import { Hono } from 'hono'
import { exposition, expositionType, family } from '../../core/metrics/exposition.ts'
import { readFleet } from '../../core/metrics/fleet.ts'
import type { ApiEnv, AppDependencies } from '../app.ts'
import type { RequestMetrics } from '../middleware/request-metrics.ts'

export function prometheusRoutes({ sql, config }: AppDependencies, requests: RequestMetrics): Hono<ApiEnv> {
  const routes = new Hono<ApiEnv>()

  routes.get('/metrics', async (c) => {
    const poolSize = family('gauge', 'job_server_api_pool_size', 'Connections this API process may open.', [
      { value: config.DATABASE_POOL_SIZE },
    ])
    const families = [...(await readFleet(sql)), poolSize, ...requests.families()]
    return c.body(exposition(families), 200, { 'content-type': expositionType })
  })

  return routes
}
