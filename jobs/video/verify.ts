/** Checks what was encoded before anybody gets to see it. */
import { JobError } from '../../core/job.ts'
import type { EncodePlan } from './plan.ts'
import type { Media } from './probe.ts'

/** A source may announce this much more than it holds before it counts as cut off: the larger of the two. */
const missingShare = 0.02
const missingSeconds = 0.5

/** @throws JobError invalid_media when the source ends early, output_invalid when the output is not what was planned */
export function verifyOutput(
  output: Media,
  { plan, source, frameCount }: { plan: EncodePlan; source: Media; frameCount: number },
): void {
  const expectations = [
    ['codec', output.video.codec, 'h264'],
    ['width', output.video.width, plan.width],
    ['height', output.video.height, plan.height],
    ['frame count', output.video.frameCount, frameCount],
    ['audio', output.audio?.codec ?? 'none', plan.audio === null ? 'none' : 'aac'],
  ] as const
  for (const [what, is, expected] of expectations) {
    if (is !== expected) {
      throw new JobError('output_invalid', `The ${what} of the encoded video is ${is}, not ${expected}.`)
    }
  }
  const missing = missingSecondsOf(source, output)
  if (missing > Math.max(missingSeconds, missingShare * source.durationSeconds)) {
    const all = source.durationSeconds.toFixed(1)
    const message = `The video is cut off: ${missing.toFixed(1)} of ${all} s are missing.`
    throw new JobError('invalid_media', message, { retry: false })
  }
}

function missingSecondsOf(source: Media, output: Media): number {
  const { missingFrames, frameRate } = source.video
  if (missingFrames > 0 && frameRate > 0) return missingFrames / frameRate
  return source.announcesDuration ? source.durationSeconds - output.durationSeconds : 0
}
