/** Builds the Hono app from what it needs. It knows no runtime: `server.ts` does. */
import { type Context, Hono } from 'hono'
import type { ConnInfo } from 'hono/conninfo'
import { cors } from 'hono/cors'
import { createMiddleware } from 'hono/factory'
import { requestId } from 'hono/request-id'
import { secureHeaders } from 'hono/secure-headers'
import type { Config } from '../core/config.ts'
import type { Pool } from '../core/db.ts'
import type { EventHub } from '../core/events/hub.ts'
import type { ApiKey } from '../core/keys/key.ts'
import type { Log } from '../core/log.ts'
import type { FinishWatch } from '../core/queue/wait.ts'
import type { Storage } from '../core/storage/client.ts'
import type { Tracing } from '../core/trace/open.ts'
import type { OpenTo } from './access.ts'
import { methodFinder } from './methods.ts'
import { authenticate } from './middleware/authenticate.ts'
import { foreignPages } from './middleware/foreign-pages.ts'
import { noStore } from './middleware/no-store.ts'
import { createRateLimit, type RateLimitConfig, rateLimit } from './middleware/rate-limit.ts'
import { requestLog } from './middleware/request-log.ts'
import { RequestMetrics } from './middleware/request-metrics.ts'
import { requireScope } from './middleware/scopes.ts'
import { traceRequests } from './middleware/trace-requests.ts'
import { createOpenAnswers, type OpenAnswersConfig } from './open-answers.ts'
import { videoPlayedBy } from './playback/paths.ts'
import { createPlaybackTokens } from './playback/token.ts'
import { answerProblem, RequestProblem } from './problem.ts'
import { dashboardRoutes } from './routes/dashboard.ts'
import { deadLetterRoutes } from './routes/dead-letters.ts'
import { definitionRoutes } from './routes/definitions.ts'
import { encodeRoutes } from './routes/encode.ts'
import { eventRoutes } from './routes/events.ts'
import { healthRoutes } from './routes/health.ts'
import { jobActionRoutes } from './routes/job-actions.ts'
import { jobRoutes } from './routes/jobs.ts'
import { keyRoutes } from './routes/keys.ts'
import { metricsRoutes } from './routes/metrics.ts'
import { playbackRoutes } from './routes/playback.ts'
import { prometheusRoutes } from './routes/prometheus.ts'
import { queueRoutes } from './routes/queues.ts'
import { referenceRoutes } from './routes/reference.ts'
import { scheduleTimeRoutes } from './routes/schedule-times.ts'
import { scheduleRoutes } from './routes/schedules.ts'
import { uploadRoutes } from './routes/uploads.ts'
import { videoOutputRoutes } from './routes/video-outputs.ts'
import { videoRoutes } from './routes/videos.ts'
import { webhookDeliveryRoutes } from './routes/webhook-deliveries.ts'
import { webhookRoutes } from './routes/webhooks.ts'
import { workerRoutes } from './routes/workers.ts'

export interface AppDependencies {
  sql: Pool
  /** A connection to ask whether the database is there: those of `sql` may all be busy with lists. */
  readiness: Pool
  storage: Storage
  events: EventHub
  finishWatch: FinishWatch
  config: Pick<
    Config,
    | 'ALLOWED_HOSTS'
    | 'CORS_ORIGINS'
    | 'DATABASE_POOL_SIZE'
    | 'MAX_UPLOAD_BYTES'
    | 'PLAYBACK_SECONDS'
    | 'IDEMPOTENCY_TTL_SECONDS'
    | 'JOB_ALLOWED_HOSTS'
    | 'SCHEDULE_MIN_PERIOD_SECONDS'
    | 'STREAM_HEARTBEAT_SECONDS'
    | 'WEBHOOK_ALLOWED_HOSTS'
    | 'WEBHOOK_RETRY_SECONDS'
    | 'WEBHOOK_SECRET'
  > &
    RateLimitConfig &
    OpenAnswersConfig
  log: Log
  tracing: Tracing
  openTo: OpenTo
  /** What the runtime knows of the connection that a request came by. */
  connectionOf: (c: Context) => ConnInfo
}

export interface ApiEnv {
  /**
   * `caller` is null for who needs no key; `playbackToken` is what a player was let in by. `stillGood` tells of answers that
   * last whether the caller would still be let in.
   */
  Variables: {
    requestId: string
    log: Log
    caller: ApiKey | null
    stillGood: () => Promise<boolean>
    playbackToken?: string
    traceId?: string
  }
}

/** What is not below these is free of data: health, documents, the dashboard's files. */
const guarded = ['/v1/*', '/metrics']

export type App = ReturnType<typeof createApp>

export function createApp(dependencies: AppDependencies) {
  const { config, log, openTo, connectionOf } = dependencies
  const app = new Hono<ApiEnv>()
  const requests = new RequestMetrics()
  app.onError(answerProblem)
  const methodsOf = methodFinder(() => app)
  app.notFound((c) => answerProblem(nothingThere(c.req, methodsOf(c.req.path)), c))
  app.use(requestId(), requestLog(log), requests.middleware, safeHeaders())
  // What only asks whether we live would drown the rest.
  app.use('/v1/*', traceRequests(dependencies.tracing.tracer))
  if (config.CORS_ORIGINS.length > 0) {
    const origin = config.CORS_ORIGINS.includes('*') ? '*' : config.CORS_ORIGINS
    app.use(cors({ origin, exposeHeaders: ['X-Request-Id', 'Location', 'Retry-After'], maxAge: 600 }))
  }
  app.use(foreignPages(config))
  const limit = createRateLimit(config, connectionOf)
  const tokens = createPlaybackTokens(dependencies.sql)
  const { streams, waits } = createOpenAnswers(config, dependencies)
  for (const path of guarded) {
    app.use(
      path,
      noStore,
      authenticate({
        ...dependencies,
        allowedHosts: config.ALLOWED_HOSTS,
        limit,
        tokens,
      }),
      rateLimit(limit, openTo),
      requireScope,
    )
  }
  app.route(
    '/',
    referenceRoutes(() => app),
  )
  app.route('/', dashboardRoutes(dependencies))
  // One chain, so that the type knows every route: the typed client is made of it.
  return app
    .route('/', healthRoutes(dependencies))
    .route('/', prometheusRoutes(dependencies, requests))
    .route('/v1/jobs', jobRoutes(dependencies))
    .route('/v1/jobs', jobActionRoutes({ ...dependencies, waits }))
    .route('/v1', eventRoutes({ ...dependencies, streams }))
    .route('/v1/definitions', definitionRoutes(dependencies))
    .route('/v1/dlq', deadLetterRoutes(dependencies))
    .route('/v1/keys', keyRoutes(dependencies))
    .route('/v1/metrics', metricsRoutes(dependencies))
    .route('/v1/queues', queueRoutes(dependencies))
    .route('/v1/schedules', scheduleTimeRoutes(dependencies))
    .route('/v1/schedules', scheduleRoutes(dependencies))
    .route('/v1/webhooks', webhookDeliveryRoutes(dependencies))
    .route('/v1/webhooks', webhookRoutes(dependencies))
    .route('/v1/workers', workerRoutes(dependencies))
    .route('/v1/videos/uploads', uploadRoutes(dependencies))
    .route('/v1/videos', encodeRoutes(dependencies))
    .route('/v1/videos', videoRoutes({ ...dependencies, tokens }))
    .route('/v1/videos', videoOutputRoutes(dependencies))
    .route('/v1/videos', playbackRoutes({ ...dependencies, tokens }))
}

/** What is played may be shown by pages of other origins: that they hold its link lets them in. */
function safeHeaders() {
  const ours = secureHeaders()
  const embeddable = secureHeaders({ crossOriginResourcePolicy: 'cross-origin' })
  return createMiddleware<ApiEnv>(async (c, next) =>
    videoPlayedBy(c.req) === undefined ? await ours(c, next) : await embeddable(c, next),
  )
}

function nothingThere({ method, path }: Context<ApiEnv>['req'], methods: string[]): RequestProblem {
  if (methods.length === 0) return new RequestProblem('not_found', `There is nothing at ${path}.`)
  const allow = methods.join(', ')
  const message = `${path} does not take ${method}, but ${allow}.`
  return new RequestProblem('method_not_allowed', message, [], { headers: { allow } })
}
