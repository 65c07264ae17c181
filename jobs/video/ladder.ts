/** The sizes of a ladder, and how many bits a picture of a size is worth. Pure. */
import type { Quality, VideoCodec } from '../../core/encode/options.ts'

/** Lines a picture has, and the bits per second of H.264 beyond which a viewer gains nothing. */
const rungs = [
  { height: 2160, maxBitrate: 16_000_000 },
  { height: 1440, maxBitrate: 9_000_000 },
  { height: 1080, maxBitrate: 5_500_000 },
  { height: 720, maxBitrate: 3_000_000 },
  { height: 480, maxBitrate: 1_500_000 },
  { height: 360, maxBitrate: 900_000 },
  { height: 240, maxBitrate: 450_000 },
] as const

/** What the newer codecs need of the bits of H.264. */
const bitsOf: Record<VideoCodec, number> = { h264: 1, hevc: 0.65, vp9: 0.65, av1: 0.5 }

/** Files are kept and loaded at leisure: they may have more bits than what is streamed. */
export const qualityBounds: Record<Quality, { height: number; maxBitrate: number }> = {
  '720p': { height: 720, maxBitrate: 5_000_000 },
  '1080p': { height: 1080, maxBitrate: 10_000_000 },
  '4k': { height: 2160, maxBitrate: 40_000_000 },
}

/** A source this much larger than the rung below it gets a size of its own. */
const betweenRungs = 1.15

/**
 * @param source lines of the source: of its shorter side
 * @param highest lines of the largest size that is wanted
 * @returns heights, largest first; at least one, none above the source
 */
export function ladderOf(source: number, highest: number): number[] {
  const top = Math.min(source, highest)
  const below = rungs.map(({ height }) => height).filter((height) => height <= top)
  const [first] = below
  return first === undefined || top > betweenRungs * first ? [top, ...below] : below
}

/** @returns bits per second that a stream of this size has at most over a second or two */
export function streamBitrate(height: number, frameRate: number, codec: VideoCodec): number {
  // Between two rungs by the number of pixels; below the last one no less than that.
  const upper = rungs.findLast((rung) => rung.height >= height) ?? rungs[0]
  const share = Math.min(1, (height / upper.height) ** 1.5)
  const fast = frameRate > 30 ? 1.4 : 1
  return Math.round(upper.maxBitrate * share * fast * bitsOf[codec])
}

export function fileBitrate(height: number, codec: VideoCodec): number {
  const bounds = Object.values(qualityBounds)
  const { maxBitrate } = bounds.find((bound) => bound.height >= height) ?? { maxBitrate: 80_000_000 }
  return Math.round(maxBitrate * bitsOf[codec])
}
