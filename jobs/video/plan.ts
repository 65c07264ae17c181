/** What the encoded video is to be, from what the source is. Pure. */
import type { Media } from './probe.ts'

/** Longer and shorter side in pixels, and the highest bitrate in bits per second. */
export const qualities = {
  '720p': { long: 1280, short: 720, maxBitrate: 5_000_000 },
  '1080p': { long: 1920, short: 1080, maxBitrate: 10_000_000 },
  '4k': { long: 3840, short: 2160, maxBitrate: 40_000_000 },
} as const

export interface EncodePlan {
  videoStream: number
  /** Null: the source has no sound. */
  audio: { stream: number; downmix: boolean; resample: boolean } | null
  /** Of the upright picture with square pixels; even, and never more than the source's. */
  width: number
  height: number
  maxBitrate: number
  deinterlace: boolean
  bFrames: boolean
}

export function planEncode(media: Media, quality: keyof typeof qualities): EncodePlan {
  const { video, audio } = media
  const { long, short, maxBitrate } = qualities[quality]
  return {
    ...fitWithin(uprightSize(video), { long, short }),
    videoStream: video.index,
    audio:
      audio === null
        ? null
        : {
            stream: audio.index,
            downmix: audio.channels > 2,
            resample: ![44_100, 48_000].includes(audio.sampleRate),
          },
    maxBitrate,
    deinterlace: video.interlaced,
    bFrames: !video.slowsDown,
  }
}

/** As it is shown: turned, and with square pixels (the wider side carries the stretch, so no line is lost). */
function uprightSize({ width, height, sampleAspectRatio, rotation }: Media['video']) {
  const shown =
    sampleAspectRatio >= 1
      ? { width: width * sampleAspectRatio, height }
      : { width, height: height / sampleAspectRatio }
  return Math.abs(rotation) % 180 === 90 ? { width: shown.height, height: shown.width } : shown
}

/** The largest even size of the same aspect within the box, which lies or stands as the picture does. */
function fitWithin(size: { width: number; height: number }, box: { long: number; short: number }) {
  const lies = size.width >= size.height
  const scale = Math.min(
    1,
    (lies ? box.long : box.short) / size.width,
    (lies ? box.short : box.long) / size.height,
  )
  return { width: even(size.width, scale), height: even(size.height, scale) }
}

/** The nearest even number that does not exceed the source; yuv420p has no odd sizes. */
function even(length: number, scale: number): number {
  const nearest = 2 * Math.round((length * scale) / 2)
  return Math.max(2, Math.min(nearest, 2 * Math.floor(Math.round(length) / 2)))
}
