/** Answers with data in them are kept by no cache, and do nothing when a browser shows them as a page. */
import { createMiddleware } from 'hono/factory'
import type { ApiEnv } from '../app.ts'

export const noStore = createMiddleware<ApiEnv>(async (c, next) => {
  c.header('cache-control', 'no-store')
  c.header('content-security-policy', "default-src 'none'; frame-ancestors 'none'")
  await next()
})
