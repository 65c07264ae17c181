/** A figure of ours beside its peer's, with their ratio: medians and spreads over rounds. */

export interface Summary {
  values: number[]
  median: number
  lowest: number
  highest: number
}

export interface Series extends Summary {
  /** Who or what it was measured of. */
  label: string
}

export interface Measurement {
  name: string
  unit: string
  /** What the ratio should be. */
  better: 'higher' | 'lower' | 'about 1'
  ours: Series
  peer: Series
  /** Ours by the peer's, round by round. */
  ratio: Summary
  /** Ours less the peer's, round by round. */
  difference: Summary
}

interface Side {
  label: string
  /** One a round. */
  values: number[]
}

/** @throws Error when the sides have not the same number of rounds, or a value is no positive number */
export function compare(
  what: Pick<Measurement, 'name' | 'unit' | 'better'>,
  ours: Side,
  peer: Side,
): Measurement {
  const pairs = ours.values.map((value, round) => ({ value, other: peer.values[round] ?? Number.NaN }))
  const isSound = (value: number) => Number.isFinite(value) && value > 0
  if (
    ours.values.length !== peer.values.length ||
    pairs.some(({ value, other }) => !isSound(value) || !isSound(other))
  ) {
    throw new Error(
      `${what.name}: the rounds gave ${ours.values} against ${peer.values}, which can't be compared`,
    )
  }
  return {
    ...what,
    ours: { label: ours.label, ...summarise(ours.values) },
    peer: { label: peer.label, ...summarise(peer.values) },
    ratio: summarise(pairs.map(({ value, other }) => value / other)),
    difference: summarise(pairs.map(({ value, other }) => value - other)),
  }
}

/** The value that a share of all is not above, by the nearest rank. @param share above 0, up to 1 */
export function percentile(values: number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.ceil(share * sorted.length) - 1] ?? Number.NaN
}

export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const upper = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
  const lower = sorted[Math.ceil(sorted.length / 2) - 1] ?? Number.NaN
  return (lower + upper) / 2
}

function summarise(values: number[]): Summary {
  return { values, median: median(values), lowest: Math.min(...values), highest: Math.max(...values) }
}
