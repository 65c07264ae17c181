/** The pattern of the route that took a request, as `/v1/jobs/:jobId`: paths are without number, these are few. */
import type { Context } from 'hono'
import { matchedRoutes } from 'hono/route'

/** @returns undefined where none did: middleware matches by patterns with a star */
export function routeOf(c: Context): string | undefined {
  return matchedRoutes(c).findLast(({ path }) => !path.includes('*'))?.path
}
