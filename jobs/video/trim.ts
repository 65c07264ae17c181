/**
 * The part of a video that is encoded, exact to the frame. Where the container has an index FFmpeg seeks to the key
 * frame before it and leaves out what comes too early. Elsewhere seeking may end behind the place that was asked for, so
 * everything before it is decoded and left out by filters.
 */

import type { Fraction } from './plan.ts'

export interface Trim {
  /** Seconds from the beginning of the source. */
  start: number
  end: number
  bySeeking: boolean
}

const indexed = /\b(mov|mp4|matroska|webm)\b/

/** @param container ffprobe's name of it */
export function canSeek(container: string): boolean {
  return indexed.test(container)
}

/** For the input that follows. */
export function trimOptions(trim: Trim | null): string[] {
  if (trim === null) return []
  const { start, end, bySeeking } = trim
  return bySeeking ? ['-ss', start.toFixed(6), '-t', (end - start).toFixed(6)] : ['-t', end.toFixed(6)]
}

/** The first filters of a sound. */
export function trimSound(trim: Trim | null): string[] {
  return filtered(trim) ? [`atrim=${partOf(trim)}`, `asetpts=PTS-${trim.start.toFixed(6)}/TB`] : []
}

/** The first filters of a picture. Its times are still those of the source: `fromZero` is to stand behind the others. */
export function trimPicture(trim: Trim | null): string[] {
  return filtered(trim) ? [`trim=${partOf(trim)}`] : []
}

/**
 * The last filters of a picture, with those that make its rate constant before them. In that order: FFmpeg before 2020
 * moves the times of frames but not that of the end, up to which a constant rate would be filled.
 */
export function fromZero(trim: Trim | null, frameRate: Fraction | null): string[] {
  const start = filtered(trim) ? trim.start.toFixed(6) : null
  if (frameRate === null) return start === null ? [] : [`setpts=PTS-${start}/TB`]
  // From a certain time on, so that streams that are muxed apart from each other begin together.
  const constant = `fps=fps=${frameRate.num}/${frameRate.den}:start_time=${start ?? 0}`
  return start === null ? [constant] : [constant, 'setpts=PTS-STARTPTS']
}

function filtered(trim: Trim | null): trim is Trim {
  return trim !== null && !trim.bySeeking
}

function partOf({ start, end }: Trim): string {
  return `start=${start.toFixed(6)}:end=${end.toFixed(6)}`
}
