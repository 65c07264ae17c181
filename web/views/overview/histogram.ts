/** Percentiles out of the histograms of `/metrics` (Prometheus text format): of what came between two readings. */

/** Counts up to and including each bound, in seconds, bounds rising; the last is infinite. */
export type Histogram = Map<number, number>

/** Sums a histogram over all its labels. */
export function readHistogram(text: string, name: string): Histogram {
  const histogram: Histogram = new Map()
  for (const line of text.split('\n')) {
    if (!line.startsWith(`${name}_bucket{`)) continue
    const [, le] = /[{,]le="([^"]+)"/.exec(line) ?? []
    const value = Number(line.slice(line.lastIndexOf(' ') + 1))
    if (le === undefined || !Number.isFinite(value)) continue
    const bound = le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le)
    histogram.set(bound, (histogram.get(bound) ?? 0) + value)
  }
  return new Map([...histogram].sort(([a], [b]) => a - b))
}

/**
 * What so many in a hundred stayed below, as if values were spread evenly within a bucket.
 * @returns null when nothing came in between
 */
export function percentileBetween(before: Histogram, after: Histogram, percent: number): number | null {
  const total = between(before, after, Number.POSITIVE_INFINITY)
  if (total <= 0) return null
  const rank = (total * percent) / 100
  let lowBound = 0
  let lowCount = 0
  for (const bound of after.keys()) {
    const here = between(before, after, bound)
    if (here >= rank) {
      if (bound === Number.POSITIVE_INFINITY) return lowBound
      const part = here === lowCount ? 1 : (rank - lowCount) / (here - lowCount)
      return lowBound + (bound - lowBound) * part
    }
    lowBound = bound
    lowCount = here
  }
  return lowBound
}

function between(before: Histogram, after: Histogram, bound: number): number {
  return (after.get(bound) ?? 0) - (before.get(bound) ?? 0)
}
