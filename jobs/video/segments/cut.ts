/** Cuts a video into pieces of whole groups of pictures, and says where FFmpeg enters the source for each. Pure. */
import type { Fraction } from '../plan.ts'
import type { Frames } from './frames.ts'
import type { Border, Piece } from './piece.ts'

/** Frames that are looked at before the first one of a piece: what filters need that look back. */
const framesBefore = 4
/** Times as ffprobe tells them differ from FFmpeg's by less. */
const toleranceSeconds = 0.1
/** A transport stream is entered somewhere before the time that is asked for, not at a key frame. */
const searchSeconds = 1
/** How many frames are looked at where two pieces are joined, on each side. */
const borderFrames = 12

export interface Cut {
  frames: Frames
  /** Of the grid. */
  rate: Fraction
  /** A border falls on a multiple. */
  groupFrames: number
  /** At most so many. */
  count: number
  /** Whether the container lists its key frames, so that FFmpeg enters at the one it is told. */
  listsKeyFrames: boolean
}

/** @returns one piece when the video is too short for more */
export function cut({ frames, rate, groupFrames, count, listsKeyFrames }: Cut): Piece[] {
  const groups = Math.floor(gridFrames(frames, rate) / groupFrames)
  const pieces = Math.max(1, Math.min(count, groups))
  const borders = Array.from(
    { length: pieces },
    (_, index) => Math.round((index * groups) / pieces) * groupFrames,
  )
  const enter = (frame: number) => entry(frames, (frame * rate.den) / rate.num, listsKeyFrames)
  const length = Math.min(borderFrames, groupFrames)
  const border = (side: Border['side'], first: number): Border => ({
    ...{ side, firstFrame: first, endFrame: first + length },
    ...enter(first),
  })
  return borders.map((firstFrame, index) => {
    const endFrame = borders[index + 1] ?? null
    return {
      ...{ rate, firstFrame, endFrame },
      ...enter(firstFrame),
      phaseSeconds: frames.times[0] ?? 0,
      sourceFrames: frames.times.length,
      borders: [
        ...(firstFrame === 0 ? [] : [border('head', firstFrame)]),
        ...(endFrame === null ? [] : [border('tail', endFrame - length)]),
      ],
    }
  })
}

/** How many frames the grid has up to the last frame of the source. */
export function gridFrames({ times }: Frames, { num, den }: Fraction): number {
  return Math.round(((times.at(-1) ?? 0) * num) / den) + 1
}

function entry({ times, keyTimes }: Frames, seconds: number, listsKeyFrames: boolean) {
  const shown = times.findLastIndex((time) => time <= seconds)
  const from = (times[shown - framesBefore] ?? 0) - toleranceSeconds
  const key = keyTimes.findLast((time) => time <= from) ?? 0
  return {
    seekSeconds: Math.max(0, listsKeyFrames ? key : key - searchSeconds),
    fromSeconds: Math.max(0, from),
  }
}
