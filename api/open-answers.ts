/**
 * How many answers one caller may have open: streams, and waits for a job. Each holds memory and a place in what is asked
 * of the database, for as long as the caller likes. Counted in this process alone, as requests are.
 */
import type { Context } from 'hono'
import type { ConnInfo } from 'hono/conninfo'
import type { Config } from '../core/config.ts'
import type { OpenTo } from './access.ts'
import type { ApiEnv } from './app.ts'
import { callerOf } from './middleware/rate-limit.ts'
import { RequestProblem } from './problem.ts'

const retryInSeconds = 10

export interface OpenAnswers {
  /** Whether the caller may have one more. @throws RequestProblem rate_limited */
  check(c: Context<ApiEnv>): void
  /** @returns what is to be called, once, when the answer has ended */
  enter(c: Context<ApiEnv>): () => void
}

export type OpenAnswersConfig = Pick<Config, 'MAX_OPEN_STREAMS' | 'MAX_OPEN_WAITS' | 'TRUSTED_PROXIES'>

/** Who calls from this machine without a key is not limited. */
export function createOpenAnswers(
  { MAX_OPEN_STREAMS, MAX_OPEN_WAITS, TRUSTED_PROXIES }: OpenAnswersConfig,
  { openTo, connectionOf }: { openTo: OpenTo; connectionOf: (c: Context) => ConnInfo },
): Record<'streams' | 'waits', OpenAnswers> {
  const counted = (what: string, most: number): OpenAnswers => {
    const open = new Map<string, number>()
    const isLimited = (c: Context<ApiEnv>) => most > 0 && (c.var.caller !== null || openTo === 'everybody')
    return {
      check: (c) => {
        if (!isLimited(c) || (open.get(callerOf(c, connectionOf, TRUSTED_PROXIES)) ?? 0) < most) return
        const message = `Too many ${what} are open: one caller may have at most ${most}. Try again in ${retryInSeconds} s.`
        const headers = { 'retry-after': String(retryInSeconds) }
        throw new RequestProblem('rate_limited', message, [], { headers })
      },
      enter: (c) => {
        if (!isLimited(c)) return () => {}
        const caller = callerOf(c, connectionOf, TRUSTED_PROXIES)
        const add = (change: 1 | -1) => {
          const count = (open.get(caller) ?? 0) + change
          if (count > 0) open.set(caller, count)
          else open.delete(caller)
        }
        add(1)
        return () => add(-1)
      },
    }
  }
  return { streams: counted('event streams', MAX_OPEN_STREAMS), waits: counted('waits', MAX_OPEN_WAITS) }
}
