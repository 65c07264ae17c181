/** Which videos are not encoded: those beyond the limits, told from what ffprobe saw before anything is decoded. */
import { JobError, type VideoLimits } from '../../core/job.ts'
import type { Media } from './probe.ts'

/** So much work is taken from anybody: two hours of 1080p at 25 frames a second, blank or not. */
const unquestionedPixels = 400e9

/** @throws JobError limit_exceeded, with the limit, the value and the bound in its details */
export function checkLimits(media: Media, sizeBytes: number, limits: VideoLimits): void {
  const { width, height, frameCount } = media.video
  // What headers say of the rate is often nonsense, and of a few pictures it means nothing.
  const isRate = frameCount >= 10 && media.durationSeconds > 0
  const frameRate = isRate ? frameCount / media.durationSeconds : 0
  const pixels = width * height
  const allPixels = pixels * frameCount
  const checks: [keyof VideoLimits, value: number, unit: string, text: (value: string) => string][] = [
    ['sizeBytes', sizeBytes, 'bytes', (value) => `has ${value}`],
    ['durationSeconds', media.durationSeconds, 's', (value) => `is ${value} long`],
    ['streams', media.streamCount, 'streams', (value) => `has ${value}`],
    ['pixels', pixels, 'pixels', (value) => `has pictures of ${width} by ${height}: ${value}`],
    ['frameRate', frameRate, 'pictures a second', (value) => `has ${value}`],
    [
      'gigapixels',
      allPixels / 1e9,
      'gigapixels',
      (value) => `has ${frameCount} pictures of ${value} together`,
    ],
  ]
  if (allPixels > unquestionedPixels) {
    const text = (value: string) => `has ${frameCount} pictures in ${sizeBytes} bytes: ${value}`
    checks.push(['pixelsPerByte', allPixels / sizeBytes, 'pixels a byte', text])
  }
  for (const [limit, value, unit, text] of checks) {
    const bound = limits[limit]
    if (value <= bound) continue
    const shown = Math.ceil(100 * value) / 100
    const message = `The video ${text(`${shown} ${unit}`)}; ${bound} are allowed.`
    throw new JobError('limit_exceeded', message, { retry: false, details: { limit, value: shown, bound } })
  }
}
