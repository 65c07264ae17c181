/**
 * A piece of a video: a range of frames on the grid of one constant rate that begins at time zero, the same grid for all
 * pieces. FFmpeg enters the source at a key frame some way before it and keeps the times of the whole, so that a frame
 * belongs to the same place of the grid whichever piece looks at it: neighbours neither lose nor repeat one.
 *
 *   source   K · · · · · · K · · · · · · K · · · · · ·
 *            │     │  └ firstFrame ─────────┘ endFrame
 *            │     └ fromSeconds: before, nothing is looked at but to decode what follows
 *            └ seekSeconds
 */
import { z } from 'zod'
import type { Fraction } from '../plan.ts'

const whole = z.int().min(0)
export const FractionSchema = z.object({ num: z.int().positive(), den: z.int().positive() })

/** Frames of a piece that lie at a join, and some beside them. */
const BorderSchema = z.object({
  side: z.enum(['head', 'tail']),
  firstFrame: whole,
  endFrame: whole,
  /** As of a piece. */
  seekSeconds: z.number().min(0),
  fromSeconds: z.number().min(0),
})
export type Border = z.output<typeof BorderSchema>

export const PieceSchema = z.object({
  rate: FractionSchema,
  firstFrame: whole,
  /** The first frame behind it; null: to the end of the source. */
  endFrame: whole.nullable(),
  /** From the beginning of the source, as are all times; 0: FFmpeg begins there. */
  seekSeconds: z.number().min(0),
  /** When the first frame of the source is shown: of files, whose frames keep their times, the grid begins with it. */
  phaseSeconds: z.number(),
  /** How many frames the source has, and so the files; what is streamed goes on to the end of the last frame. */
  sourceFrames: whole,
  fromSeconds: z.number().min(0),
  /** At which it is looked when it is encoded. None: it was asked for by a release that did not look. */
  borders: z.array(BorderSchema).max(2).default([]),
})
export type Piece = z.output<typeof PieceSchema>

/** Where a source that is read in parts begins, and where FFmpeg enters it. */
export interface Entry {
  startSeconds: number
  seekSeconds: number
}

/** Before the input: all parts of a source tell the same times, whatever of it they read. */
export function entryOptions({ startSeconds, seekSeconds }: Entry): string[] {
  // FFmpeg would take the beginning of what it reads of a transport stream, unless the offset is another than its own
  // guess: a millionth of a second less is, and makes no difference after rounding.
  const offset = ['-copyts', '-itsoffset', (-startSeconds - 1e-6).toFixed(6)]
  // The filters choose, exactly; FFmpeg's own choice falls on another frame where times are rounded.
  return seekSeconds > 0 ? [...offset, '-noaccurate_seek', '-ss', seekSeconds.toFixed(6)] : offset
}

/** Ahead of all that costs anything. */
export function untilNearFilters({ fromSeconds }: Piece): string[] {
  return fromSeconds > 0 ? [`trim=start=${fromSeconds.toFixed(6)}`] : []
}

/** @param frameRate of a target, on whose grid the borders of the piece fall, too; null: frames keep their times */
export function pieceFilters(piece: Piece, frameRate: Fraction | null): string[] {
  const rate = frameRate ?? piece.rate
  const first = frameAt(piece.firstFrame, piece.rate, rate)
  const end = piece.endFrame ?? (frameRate === null ? piece.sourceFrames : null)
  const until = end === null ? '' : `:end_pts=${frameAt(end, piece.rate, rate)}`
  // Behind `fps` the unit of time is a frame. Only the first piece has to fill what is missing before the first one.
  const start = first === 0 ? ':start_time=0' : ''
  return [
    ...(frameRate === null ? [`setpts=round(PTS-${piece.phaseSeconds}/TB)`] : []),
    `fps=fps=${rate.num}/${rate.den}${start}`,
    `trim=start_pts=${first}${until}`,
    `setpts=PTS-${first}`, // what is joined later says where it belongs
  ]
}

/** @returns the number on the grid of `to` of a frame that stands on both grids */
export function frameAt(frame: number, from: Fraction, to: Fraction): number {
  return Math.round((frame * from.den * to.num) / (from.num * to.den))
}
