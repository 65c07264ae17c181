/** When a failed job is tried again. Pure; PostgreSQL adds the seconds to its own now(). */

export interface BackoffPolicy {
  /** Seconds before the second attempt, at most. */
  baseSeconds: number
  /** Growth from one attempt to the next. */
  factor: number
  maxSeconds: number
}

export const defaultBackoff: BackoffPolicy = { baseSeconds: 2, factor: 2, maxSeconds: 3600 }
/** A year, and what comes near it at the second attempt: beyond, PostgreSQL's times end. */
export const maxBackoff: BackoffPolicy = { baseSeconds: 31_536_000, factor: 1000, maxSeconds: 31_536_000 }

/**
 * Seconds to wait after attempt `attempt` (from 1): uniform in [0, min(max, base · factor^(attempt−1))], a year at most.
 * Full jitter, after Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015.
 * @throws RangeError for attempt < 1
 */
export function backoffSeconds(attempt: number, policy: BackoffPolicy, random = Math.random): number {
  if (attempt < 1) throw new RangeError(`attempt must be 1 or more, got ${attempt}`)
  const { baseSeconds, factor, maxSeconds } = policy
  // The power overflows to Infinity in late attempts, and 0 · Infinity is no number.
  const grown = baseSeconds === 0 ? 0 : baseSeconds * factor ** (attempt - 1)
  const longest = Math.min(grown, maxSeconds, maxBackoff.maxSeconds)
  return random() * longest
}
