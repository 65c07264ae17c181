/**
 * The time of the server: that of this machine may be minutes off, and all times that are shown or asked for are the
 * server's. Each answer names it to the second, so it bounds how far the two clocks are apart; the bounds of all answers
 * together come close to it. As long as none speaks against it, this machine's clock is taken to be right.
 */

/** What a server writes as the date it may have made up to a second ago, and that without its fraction. */
const dateMayLagMs = 2000

/** What is to be added to this machine's time, in milliseconds. */
interface Bounds {
  low: number
  high: number
}

const unknown: Bounds = { low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY }

let known = unknown

/** In milliseconds since 1970, as `Date.now()`. */
export function serverNow(): number {
  const { low, high } = known
  const isRight = low <= 0 && high >= 0
  return Date.now() + (isRight ? 0 : (low + high) / 2)
}

/** @param sentAt of the request, by this machine's clock */
export function noteServerTime({ headers }: { headers: Pick<Headers, 'get'> }, sentAt: number): void {
  // Only what no cache may have kept names the present.
  if (!headers.get('cache-control')?.includes('no-store')) return
  const second = Date.parse(headers.get('date') ?? '')
  if (Number.isNaN(second)) return
  const heard: Bounds = { low: second - Date.now(), high: second + dateMayLagMs - sentAt }
  const both: Bounds = { low: Math.max(known.low, heard.low), high: Math.min(known.high, heard.high) }
  // One of the clocks was set, or they have drifted apart.
  known = both.low <= both.high ? both : heard
}
