/**
 * A span for each request, in the caller's trace where it sent a `traceparent`, and the scope in which the routes do
 * their work. The query is left out: it may hold what is nobody's business.
 */
import { createMiddleware } from 'hono/factory'
import { parseTrace } from '../../core/trace/context.ts'
import { inScope } from '../../core/trace/scope.ts'
import type { Tracer } from '../../core/trace/tracer.ts'
import type { ApiEnv } from '../app.ts'
import { routeOf } from '../route-of.ts'

export function traceRequests(tracer: Tracer) {
  return createMiddleware<ApiEnv>(async (c, next) => {
    const parent = parseTrace(c.req.header('traceparent'), c.req.header('tracestate'))
    const { method, path } = c.req
    const span = tracer.start(method, {
      kind: 'server',
      parent,
      attributes: {
        'http.request.method': method,
        'url.path': path,
        'job_server.request_id': c.var.requestId,
      },
    })
    const { context } = span
    if (context === null) return await next()
    c.set('traceId', context.traceId)
    await inScope({ tracer, context }, next)
    const route = routeOf(c)
    const { status } = c.res
    if (route !== undefined) span.rename(`${method} ${route}`)
    span.set({ 'http.route': route, 'http.response.status_code': status })
    span.end(status >= 500 ? { error: String(status) } : {})
  })
}
