/** Metrics for Prometheus: of the fleet, from PostgreSQL, and of this process. */
import { Hono } from 'hono'
import { z } from 'zod'
import { exposition, expositionType, family } from '../../core/metrics/exposition.ts'
import { readFleet } from '../../core/metrics/fleet.ts'
import { limitFamilies } from '../../core/metrics/process.ts'
import type { ApiEnv, AppDependencies } from '../app.ts'
import type { RequestMetrics } from '../middleware/request-metrics.ts'
import { operation } from '../openapi/operation.ts'

export function prometheusRoutes(
  { sql, events, config, tracing }: AppDependencies,
  requests: RequestMetrics,
) {
  return new Hono<ApiEnv>().get(
    '/metrics',
    operation({
      summary: 'Metrics for Prometheus',
      answers: {
        200: {
          description:
            'Of the whole fleet, the same from every API process, and of the process that answers.',
          contentType: 'text/plain',
          schema: z.string(),
          example: '# HELP job_server_dead_letters Dead letters that were not redriven.\n',
        },
      },
    }),
    async (c) => {
      const streams = family(
        'gauge',
        'job_server_api_event_streams',
        'Live event streams of this API process.',
        [{ value: events.streams }],
      )
      const own = limitFamilies('job_server_api', {
        poolSize: config.DATABASE_POOL_SIZE,
        spansDropped: tracing.dropped(),
      })
      const families = [...(await readFleet(sql)), ...own, streams, ...requests.families()]
      return c.body(exposition(families), 200, { 'content-type': expositionType })
    },
  )
}
