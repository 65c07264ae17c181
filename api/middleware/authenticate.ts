/**
 * Who calls: the key of `Authorization: Bearer <key>`, a player with a token for the video that it plays, or, where that
 * is allowed, anybody. A key that was found is believed for a few seconds without asking the database again, so that long a
 * revoked one may still be taken. Answers that last ask again by `stillGood`.
 */
import type { Context } from 'hono'
import { createMiddleware } from 'hono/factory'
import { isLoopback } from '../../core/config.ts'
import type { Pool } from '../../core/db.ts'
import { type ApiKey, looksLikeSecret } from '../../core/keys/key.ts'
import { findKey, keysExist } from '../../core/keys/read.ts'
import type { OpenTo } from '../access.ts'
import type { ApiEnv } from '../app.ts'
import { videoPlayedBy } from '../playback/paths.ts'
import type { PlaybackTokens } from '../playback/token.ts'
import { RequestProblem } from '../problem.ts'
import type { RateLimit } from './rate-limit.ts'

const believedMs = 5000
const rememberedKeys = 1000
const sharedMs = 1000

interface AuthenticateOptions {
  sql: Pool
  openTo: OpenTo
  /** Names that callers without a key may use; empty: see `requireName`. */
  allowedHosts: readonly string[]
  limit: RateLimit
  tokens: PlaybackTokens
}

export function authenticate({ sql, openTo, allowedHosts, limit, tokens }: AuthenticateOptions) {
  const known = new Map<string, { key: ApiKey; until: number }>()
  const looks = new Map<string, { key: Promise<ApiKey | null>; begunAt: number }>()
  const keysAreNeeded = keyWatch(sql)

  async function keyOf(secret: string, c: Context<ApiEnv>): Promise<ApiKey> {
    const remembered = known.get(secret)
    if (remembered !== undefined && remembered.until > Date.now()) return remembered.key
    // Who tries out keys is slowed down before the database hears of it; a key that was good is no guess, and others at
    // its address that guess must not keep it out.
    if (remembered === undefined) limit.check(c)
    const key = await lookUp(secret)
    if (key !== null) return key
    limit.count(c)
    throw unauthorized('The API key is unknown, revoked or expired.', 'invalid_token')
  }

  /** Once for all who ask at the same time, as the streams of a key do; but nobody waits for one that may hang. */
  async function lookUp(secret: string): Promise<ApiKey | null> {
    const underWay = looks.get(secret)
    if (underWay !== undefined && performance.now() < underWay.begunAt + sharedMs) return await underWay.key
    const look = { key: read(secret), begunAt: performance.now() }
    looks.set(secret, look)
    try {
      return await look.key
    } finally {
      if (looks.get(secret) === look) looks.delete(secret)
    }
  }

  async function read(secret: string): Promise<ApiKey | null> {
    const now = Date.now()
    const key = looksLikeSecret(secret) ? await findKey(sql, secret) : null
    // What is found goes to the end: the oldest is who was longest not looked up.
    known.delete(secret)
    if (key === null) return null
    const oldest = known.size < rememberedKeys ? undefined : known.keys().next().value
    if (oldest !== undefined) known.delete(oldest)
    known.set(secret, { key, until: Math.min(now + believedMs, key.expiresAt?.getTime() ?? Infinity) })
    return key
  }

  async function isStillGood(secret: string): Promise<boolean> {
    const remembered = known.get(secret)
    return (remembered !== undefined && remembered.until > Date.now()) || (await lookUp(secret)) !== null
  }

  /** @throws RequestProblem unauthorized when there is a token that is not good here */
  async function playsWithToken(c: Context<ApiEnv>): Promise<boolean> {
    const token = c.req.query('token')
    const videoId = videoPlayedBy(c.req)
    if (token === undefined || videoId === undefined) return false
    // Good or not: a page that it stands in may be open to anybody.
    limit.count(c, 'playback')
    if (await tokens.isGood(videoId, token)) {
      c.set('playbackToken', token)
      return true
    }
    throw unauthorized('The playback link is not for this video, or its time is up.', 'invalid_token')
  }

  return createMiddleware<ApiEnv>(async (c, next) => {
    const header = c.req.header('authorization')
    c.set('caller', null)
    c.set('stillGood', async () => true)
    if (openTo === 'everybody') requireName(c, { openTo, allowedHosts })
    else if (header !== undefined) {
      const secret = secretIn(header)
      c.set('caller', await keyOf(secret, c))
      c.set('stillGood', () => isStillGood(secret))
    } else if (!(await playsWithToken(c))) {
      if (openTo === 'nobody' || (await keysAreNeeded())) {
        throw unauthorized('An API key is needed: Authorization: Bearer <key>.')
      }
      requireDirect(c)
      requireName(c, { openTo, allowedHosts })
      c.set('stillGood', async () => !(await keysAreNeeded()))
    }
    await next()
  })
}

/** @returns whether a key was ever made; looked up at most once a second, and never again once it was */
function keyWatch(sql: Pool): () => Promise<boolean> {
  const patienceMs = 1000
  let any = false
  let lookedAt = -Infinity
  return async () => {
    if (any || performance.now() - lookedAt < patienceMs) return any
    any = (await keysExist(sql)).any
    lookedAt = performance.now()
    return any
  }
}

function secretIn(header: string): string {
  const [, secret] = /^Bearer +(\S+) *$/i.exec(header) ?? []
  if (secret === undefined) throw unauthorized('The Authorization header must be: Bearer <key>.')
  return secret
}

/** What proxies add to a request: each of them something else. */
const marksOfProxies = [
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-real-ip',
  'forwarded',
  'via',
]

/** A proxy on this machine lets the whole network speak by this machine's name. */
function requireDirect(c: Context<ApiEnv>): void {
  if (marksOfProxies.every((name) => c.req.header(name) === undefined)) return
  throw unauthorized(
    'By a proxy the API serves callers with a key only: make the first (bun run keys create).',
  )
}

/** A name that a page's owner points at this machine (DNS rebinding) would make the page ours. */
function requireName(
  c: Context<ApiEnv>,
  { openTo, allowedHosts }: Pick<AuthenticateOptions, 'openTo' | 'allowedHosts'>,
): void {
  const { hostname } = new URL(c.req.url)
  const name = hostname.replace(/^\[|\]$/g, '')
  if (allowedHosts.length > 0 ? allowedHosts.includes(name) : openTo === 'everybody' || isLoopback(name))
    return
  const served = allowedHosts.length > 0 ? 'names in ALLOWED_HOSTS' : 'this machine'
  throw new RequestProblem('forbidden', `Without a key the API serves ${served} only, not ${hostname}.`)
}

/** @param reason as RFC 6750, 3.1 names it; none where no key was shown */
function unauthorized(message: string, reason?: 'invalid_token'): RequestProblem {
  const challenge = reason === undefined ? 'Bearer' : `Bearer error="${reason}"`
  return new RequestProblem('unauthorized', message, [], { headers: { 'www-authenticate': challenge } })
}
