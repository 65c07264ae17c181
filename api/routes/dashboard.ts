/**
 * Serves the dashboard's files. Names with a hash in them never change and may be kept for ever; the page itself is
 * asked for anew each time and mostly answered with 304. What the page may load and talk to stands in its content
 * security policy: itself and the storage, nobody else.
 */
import { type Context, Hono } from 'hono'
import { accepts } from 'hono/accepts'
import type { ApiEnv, AppDependencies } from '../app.ts'
import { type DashboardFile, dashboardFiles } from '../dashboard-files.ts'
import { RequestProblem } from '../problem.ts'

/** Every view has a path of its own below these; what lies deeper is the page's to find. */
export const views = [
  '',
  'jobs',
  'videos',
  'schedules',
  'dead-letters',
  'queues',
  'workers',
  'definitions',
  'webhooks',
  'keys',
] as const

export function dashboardRoutes({ storage }: Pick<AppDependencies, 'storage'>) {
  const find = dashboardFiles()
  let origin: string | undefined

  /** As its links say, whatever the style of its addresses. */
  async function storageOrigin(): Promise<string> {
    const link = () => storage.presignGet('any', { expiresInSeconds: 60, audience: 'client' })
    origin ??= new URL(await link()).origin
    return origin
  }

  async function page(c: Context<ApiEnv>): Promise<Response> {
    const file = await find('index.html')
    if (file === null) {
      throw new RequestProblem('not_found', 'The dashboard is not built here; see `bun run build:web`.')
    }
    c.header('content-security-policy', policyFor(await storageOrigin()))
    c.header('cache-control', 'no-cache')
    return await answer(c, file)
  }

  async function asset(c: Context<ApiEnv>): Promise<Response | null> {
    const file = await find(c.req.path.slice(1))
    if (file === null) return null
    c.header('cache-control', 'public, max-age=31536000, immutable')
    return await answer(c, file)
  }

  // A middleware, not routes: what is no file of the dashboard is for the rest of the app to answer.
  return new Hono<ApiEnv>().use(async (c, next) => {
    if (c.req.method !== 'GET' && c.req.method !== 'HEAD') return await next()
    const [, first = ''] = c.req.path.split('/')
    if (views.some((name) => name === first)) return await page(c)
    return (first === 'assets' ? await asset(c) : null) ?? (await next())
  })
}

async function answer(c: Context<ApiEnv>, { type, etag, encodings, read }: DashboardFile): Promise<Response> {
  const encoding = accepts(c, { header: 'Accept-Encoding', supports: encodings, default: '', match: ours })
  // Each form is an entity of its own.
  const tag = `"${etag}${encoding === '' ? '' : `-${encoding}`}"`
  c.header('etag', tag)
  c.header('vary', 'Accept-Encoding')
  if (c.req.header('if-none-match') === tag) return c.body(null, 304)
  const bytes = await read(encoding === '' ? undefined : encoding)
  c.header('content-type', type)
  if (encoding !== '') c.header('content-encoding', encoding)
  return c.body(bytes)
}

/** The order of `supports` decides: clients list what they take in any order. */
function ours(accepted: { type: string; q: number }[], { supports }: { supports: string[] }): string {
  return supports.find((name) => accepted.some(({ type, q }) => type === name && q > 0)) ?? ''
}

/** @param storage the origin that presigned links lead to: uploads, videos and pictures go past the API */
function policyFor(storage: string): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "font-src 'self'",
    `img-src 'self' data: ${storage}`,
    // hls.js plays through an object of its own.
    `media-src 'self' blob: ${storage}`,
    `connect-src 'self' ${storage}`,
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
}
