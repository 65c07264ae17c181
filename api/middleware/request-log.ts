/** One wide line a request, under the id that its answer carries as X-Request-Id. */
import { createMiddleware } from 'hono/factory'
import type { Log } from '../../core/log.ts'
import type { ApiEnv } from '../app.ts'

export function requestLog(log: Log) {
  return createMiddleware<ApiEnv>(async (c, next) => {
    const startedAt = performance.now()
    c.set('log', log.child({ requestId: c.var.requestId }))
    await next()
    const { method, path } = c.req
    const durationMs = Math.round(performance.now() - startedAt)
    const keyId = c.var.caller?.id
    const { traceId } = c.var
    c.var.log.info({ method, path, status: c.res.status, durationMs, keyId, traceId }, 'request.answered')
  })
}
