/** When a failed job is tried again. Pure; PostgreSQL adds the seconds to its own now(). */

export interface BackoffPolicy {
  /** Seconds before the second attempt, at most. */
  baseSeconds: number
  /** Growth from one attempt to the next. */
  factor: number
  maxSeconds: number
}

export const defaultBackoff: BackoffPolicy = { baseSeconds: 2, factor: 2, maxSeconds: 3600 }

/**
 * Seconds to wait after attempt `attempt` (from 1): uniform in [0, min(max, base · factor^(attempt−1))].
 * Full jitter, after Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015.
 * @throws RangeError for attempt < 1
 */
export function backoffSeconds(attempt: number, policy: BackoffPolicy, random = Math.random): number {
  if (attempt < 1) throw new RangeError(`attempt must be 1 or more, got ${attempt}`)
  const { baseSeconds, factor, maxSeconds } = policy
  // The power overflows to Infinity in late attempts, and 0 · Infinity is no number.
  const longest = baseSeconds === 0 ? 0 : Math.min(maxSeconds, baseSeconds * factor ** (attempt - 1))
  return random() * longest
}
