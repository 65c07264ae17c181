/**
 * Keeps foreign web pages out: a browser that can reach the API sends requests for whatever page it shows, forms
 * even without asking first. Clients that are no browsers send no Origin and are not concerned.
 */
import { createMiddleware } from 'hono/factory'
import { type Config, isLoopback } from '../../core/config.ts'
import type { ApiEnv } from '../app.ts'
import { RequestProblem } from '../problem.ts'

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS'])

export function foreignPages({ AUTH, CORS_ORIGINS }: Pick<Config, 'AUTH' | 'CORS_ORIGINS'>) {
  return createMiddleware<ApiEnv>(async (c, next) => {
    const own = new URL(c.req.url)
    // A name that a page's owner points at this machine (DNS rebinding) would make the page ours.
    if (AUTH === 'loopback' && !isLoopback(own.hostname.replace(/^\[|\]$/g, ''))) {
      throw new RequestProblem('forbidden', `The API serves this machine only, not ${own.hostname}.`)
    }
    const origin = c.req.header('origin')
    const allowed =
      origin === undefined ||
      origin === own.origin ||
      CORS_ORIGINS.includes('*') ||
      CORS_ORIGINS.includes(origin)
    if (!allowed && !safeMethods.has(c.req.method)) {
      throw new RequestProblem('forbidden', `Pages of ${origin} may not call the API; see CORS_ORIGINS.`)
    }
    await next()
  })
}
