/** How much FFmpeg may write for a video: what its targets can come to, and what the worker allows. Pure. */
import type { JobLimits } from '../../core/job.ts'
import type { Stem } from './ffmpeg-args.ts'
import { soundsOf, type Target } from './plan.ts'

/** Encoders that hold to a bound do so over seconds, others only about: far beyond both something has gone wrong. */
const allowance = 4
/** Heads, indexes, subtitles, and videos so short that an average says nothing. */
const slackBytes = 64 * 1024 ** 2

/** @returns what `runFfmpeg` holds a run to that writes the targets into the directory */
export function outputLimits(
  targets: (Target | Stem)[],
  { directory, durationSeconds }: { directory: string; durationSeconds: number },
  { video }: Pick<JobLimits, 'video'>,
) {
  const bytes = outputBound(targets, { durationSeconds, allowedBytes: video.outputBytes })
  return { durationSeconds, longestSeconds: video.durationSeconds, bound: { directory, bytes } }
}

/** In bytes. */
export function outputBound(
  targets: (Target | Stem)[],
  { durationSeconds, allowedBytes }: { durationSeconds: number; allowedBytes: number },
): number {
  const bitrate = targets.reduce((sum, target) => {
    const sounds = soundsOf(target).reduce((bits, sound) => bits + sound.bitrate, 0)
    return sum + sounds + ('video' in target ? (target.video.bitrate ?? target.video.maxBitrate) : 0)
  }, 0)
  return Math.min(allowedBytes, slackBytes + Math.ceil((allowance * bitrate * durationSeconds) / 8))
}
