/**
 * How often one caller may call: the generic cell rate algorithm (ITU-T I.371), one number a caller. It is kept in
 * this process alone: a shared count would cost every request a write to the database, which is what the limit is to
 * protect. So n API processes allow n times the rate.
 */
import type { Context } from 'hono'
import type { ConnInfo } from 'hono/conninfo'
import { createMiddleware } from 'hono/factory'
import type { Config } from '../../core/config.ts'
import type { OpenTo } from '../access.ts'
import type { ApiEnv } from '../app.ts'
import { RequestProblem } from '../problem.ts'

const callersBeforeSweep = 10_000

export interface RateLimit {
  /**
   * Counts a request of the caller, or of the address where there is no key; what players ask for apart, so that it
   * takes nothing from those who show keys. @throws RequestProblem rate_limited
   */
  count(c: Context<ApiEnv>, what?: 'playback'): void
  /** Only asks whether there is room for one. @throws RequestProblem rate_limited */
  check(c: Context<ApiEnv>): void
}

export type RateLimitConfig = Pick<Config, 'RATE_LIMIT_PER_SECOND' | 'RATE_LIMIT_BURST' | 'TRUSTED_PROXIES'>

/** @param connectionOf what the runtime knows of a request's connection */
export function createRateLimit(
  config: RateLimitConfig,
  connectionOf: (c: Context) => ConnInfo,
  now = () => performance.now(),
): RateLimit {
  const { RATE_LIMIT_PER_SECOND: perSecond, RATE_LIMIT_BURST: burst, TRUSTED_PROXIES: proxies } = config
  if (perSecond === 0) return { count: () => {}, check: () => {} }
  const intervalMs = 1000 / perSecond
  /** When all that a caller sent would have been sent, had it kept to the rate. */
  const doneAt = new Map<string, number>()

  function check(c: Context<ApiEnv>, what?: 'playback'): { name: string; next: number; time: number } {
    const time = now()
    const caller = callerOf(c, connectionOf, proxies)
    const name = what === undefined ? caller : `${what} ${caller}`
    const next = Math.max(doneAt.get(name) ?? 0, time) + intervalMs
    const waitMs = next - time - burst * intervalMs
    if (waitMs <= 0) return { name, next, time }
    const seconds = Math.ceil(waitMs / 1000)
    const message = `Too many requests: at most ${perSecond} a second. Try again in ${seconds} s.`
    throw new RequestProblem('rate_limited', message, [], { headers: { 'retry-after': String(seconds) } })
  }

  return {
    check,
    count: (c, what) => {
      const { name, next, time } = check(c, what)
      doneAt.set(name, next)
      if (doneAt.size > callersBeforeSweep) sweep(doneAt, time)
    },
  }
}

/** After `authenticate`. Who calls from this machine without a key is not limited. */
export function rateLimit(limit: RateLimit, openTo: OpenTo) {
  return createMiddleware<ApiEnv>(async (c, next) => {
    if (c.var.caller !== null || openTo === 'everybody') limit.count(c)
    await next()
  })
}

/** Forgets who has its whole burst again; where that frees too little, who came first. */
function sweep(doneAt: Map<string, number>, time: number): void {
  for (const [name, at] of doneAt) if (at <= time) doneAt.delete(name)
  for (const name of doneAt.keys()) {
    if (doneAt.size <= callersBeforeSweep / 2) return
    doneAt.delete(name)
  }
}

/** By the id of the key, or by the address where there is none. */
export function callerOf(
  c: Context<ApiEnv>,
  connectionOf: (c: Context) => ConnInfo,
  proxies: number,
): string {
  return c.var.caller?.id ?? addressOf(c, connectionOf, proxies)
}

/** Entries of X-Forwarded-For beyond our own proxies were written by the caller, who may write anything. */
function addressOf(c: Context, connectionOf: (c: Context) => ConnInfo, proxies: number): string {
  const forwarded = c.req.header('x-forwarded-for')?.split(',') ?? []
  const seen = proxies > 0 ? forwarded.at(-proxies)?.trim() : undefined
  return seen ?? connectionOf(c).remote.address ?? 'unknown'
}
