/**
 * Keeps foreign web pages out: a browser that can reach the API sends requests for whatever page it shows, forms
 * even without asking first. Clients that are no browsers send no Origin and are not concerned.
 */
import { createMiddleware } from 'hono/factory'
import type { Config } from '../../core/config.ts'
import type { ApiEnv } from '../app.ts'
import { RequestProblem } from '../problem.ts'

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS'])

export function foreignPages({ CORS_ORIGINS }: Pick<Config, 'CORS_ORIGINS'>) {
  return createMiddleware<ApiEnv>(async (c, next) => {
    const origin = c.req.header('origin')
    // By host alone: a proxy that ends TLS makes our own address look like http.
    const allowed =
      origin === undefined ||
      URL.parse(origin)?.host === new URL(c.req.url).host ||
      CORS_ORIGINS.includes('*') ||
      CORS_ORIGINS.includes(origin)
    if (!allowed && !safeMethods.has(c.req.method)) {
      throw new RequestProblem('forbidden', `Pages of ${origin} may not call the API; see CORS_ORIGINS.`)
    }
    await next()
  })
}
