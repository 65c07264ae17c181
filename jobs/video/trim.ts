/**
 * The part of a video that is encoded, exact to the frame. Where the container has an index FFmpeg seeks to the key
 * frame before it and leaves out what comes too early. Elsewhere seeking may end behind the place that was asked for, so
 * everything before it is decoded and left out by filters.
 */

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

/** The first filters of a picture or a sound. */
export function trimFilters(trim: Trim | null, kind: 'picture' | 'sound'): string[] {
  if (trim === null || trim.bySeeking) return []
  const prefix = kind === 'sound' ? 'a' : ''
  const start = trim.start.toFixed(6)
  return [`${prefix}trim=start=${start}`, `${prefix}setpts=PTS-${start}/TB`]
}
