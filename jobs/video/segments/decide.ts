/** In how many pieces a video is encoded. Pure. */

import type { EncodeWish } from '../../../core/encode/wish.ts'

/** Below, what every piece costs anew is more than what is won. */
const shortestSeconds = 120
/** From here on one go might outlast the time that a job has. Each piece has that of a job of its own, even one after another. */
const longSeconds = 1800
/** Of a piece of a video that is divided by itself. */
const leastPieceSeconds = 30
/** A piece that is lost with its worker is done again: so much at most. */
const mostPieceSeconds = 300
const mostPieces = 256

/**
 * @param freeSlots slots of the fleet that have nothing to do, beside the one that asks
 * @returns 1: in one piece
 */
export function wantedPieces(
  wish: EncodeWish['segments'],
  { durationSeconds, freeSlots }: { durationSeconds: number; freeSlots: number },
): number {
  if (wish === 'off') return 1
  if (wish !== 'auto') return wish
  // The job that asks gives up its own slot.
  const slots = freeSlots + 1
  if (durationSeconds < (slots < 2 ? longSeconds : shortestSeconds)) return 1
  const byLength = Math.ceil(durationSeconds / mostPieceSeconds)
  return Math.min(mostPieces, Math.floor(durationSeconds / leastPieceSeconds), Math.max(slots, byLength))
}
