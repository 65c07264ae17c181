/** Builds the Hono app from what it needs. It knows no runtime: `server.ts` does. */
import { Hono } from 'hono'
import { cors } from 'hono/cors'
import { requestId } from 'hono/request-id'
import { secureHeaders } from 'hono/secure-headers'
import type { Config } from '../core/config.ts'
import type { Pool } from '../core/db.ts'
import type { Log } from '../core/log.ts'
import type { Storage } from '../core/storage/client.ts'
import { foreignPages } from './middleware/foreign-pages.ts'
import { requestLog } from './middleware/request-log.ts'
import { answerProblem, RequestProblem } from './problem.ts'
import { deadLetterRoutes } from './routes/dead-letters.ts'
import { definitionRoutes } from './routes/definitions.ts'
import { eventRoutes } from './routes/events.ts'
import { healthRoutes } from './routes/health.ts'
import { jobRoutes } from './routes/jobs.ts'
import { queueRoutes } from './routes/queues.ts'
import { uploadRoutes } from './routes/uploads.ts'
import { videoRoutes } from './routes/videos.ts'

export interface AppDependencies {
  sql: Pool
  storage: Storage
  config: Pick<Config, 'AUTH' | 'CORS_ORIGINS' | 'MAX_UPLOAD_BYTES' | 'IDEMPOTENCY_TTL_SECONDS'>
  log: Log
}

export interface ApiEnv {
  Variables: { requestId: string; log: Log }
}

export function createApp(dependencies: AppDependencies): Hono<ApiEnv> {
  const { config, log } = dependencies
  const app = new Hono<ApiEnv>()
  app.onError(answerProblem)
  app.notFound((c) => answerProblem(new RequestProblem('not_found', `There is nothing at ${c.req.path}.`), c))
  app.use(requestId(), requestLog(log), secureHeaders())
  if (config.CORS_ORIGINS.length > 0) {
    const origin = config.CORS_ORIGINS.includes('*') ? '*' : config.CORS_ORIGINS
    app.use(cors({ origin, exposeHeaders: ['X-Request-Id', 'Location'] }))
  }
  app.use(foreignPages(config))
  app.route('/', healthRoutes(dependencies))
  app.route('/v1/jobs', jobRoutes(dependencies))
  app.route('/v1', eventRoutes(dependencies))
  app.route('/v1/definitions', definitionRoutes(dependencies))
  app.route('/v1/dlq', deadLetterRoutes(dependencies))
  app.route('/v1/queues', queueRoutes(dependencies))
  app.route('/v1/videos/uploads', uploadRoutes(dependencies))
  app.route('/v1/videos', videoRoutes(dependencies))
  return app
}
