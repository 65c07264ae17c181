/**
 * Divides an encode into parts: one for each piece of the video, with all of its sizes, and one for what is encoded
 * whole: the sound, and files whose frames keep times of their own.
 */
import { groupFrames } from '../encoders.ts'
import type { ToolCare } from '../ffmpeg.ts'
import { type EncodePlan, type Fraction, soundsOf, type Target } from '../plan.ts'
import type { Extras } from '../prepare.ts'
import type { Media } from '../probe.ts'
import type { VideoSource } from '../source.ts'
import { canSeek } from '../trim.ts'
import { cut, gridFrames } from './cut.ts'
import { isConstant, readFrames } from './frames.ts'
import type { PartParams, PartTarget } from './part.ts'
import { frameAt } from './piece.ts'

/** FFmpeg finds its way to a time in them without reading what lies before, and tells the same times afterwards. */
const containers = /\b(mov|mp4|matroska|webm|mpegts)\b/

export interface Undivided {
  source: VideoSource
  input: string
  media: Media
  plan: EncodePlan
  extras: Extras
  /** Pieces, at most. */
  count: number
}

/** @returns the parts, or why the video is encoded in one piece */
export async function divide(
  { source, input, media, plan, extras, count }: Undivided,
  ffprobe: string,
  care: ToolCare,
): Promise<PartParams[] | string> {
  if (count < 2) return 'it is not worth it'
  if (!('key' in source)) return 'its source is not in our storage'
  if (plan.trim !== null) return 'only a part of it is wanted'
  if (extras.subtitles.length > 0) return 'it has subtitles'
  if (!containers.test(media.container)) return 'its container has no times to enter it at'
  const frames = await readFrames(ffprobe, input, streamsOf(plan), care)
  if (frames === null) return 'its frames have no times'
  if (!frames.isContinuous && media.container === 'mpegts') return 'its times jump'

  const fileRate = isConstant(frames, media.video.nominalFrameRate) ? media.video.nominalFrameRate : null
  const grid = gridOf(plan.targets, fileRate)
  if (grid === null) return 'its frames keep times of their own'
  const { times } = frames
  const pieces = cut({
    frames,
    ...grid,
    count,
    listsKeyFrames: canSeek(media.container),
  })
  if (pieces.length < 2) return 'it is too short'

  const isDivided = (target: Target) =>
    target.kind === 'rendition' || (target.kind === 'file' && grid.withFiles)
  const common = {
    source,
    picture: plan.picture,
    loudness: [...extras.loudness],
    startSeconds: frames.startSeconds,
  }
  const divided = plan.targets.filter(isDivided).flatMap(pictureOf)
  const whole = [
    ...plan.targets.filter((target) => target.kind !== 'draft').filter((target) => !isDivided(target)),
    ...plan.targets.filter(isDivided).flatMap(stemOf),
  ]
  const total = gridFrames(frames, grid.rate)
  return [
    ...(whole.length === 0
      ? []
      : [
          {
            ...common,
            targets: whole,
            piece: null,
            frameCount: whole.some((target) => 'video' in target) ? times.length : 0,
            durationSeconds: media.durationSeconds,
          },
        ]),
    ...pieces.map((piece) => {
      const frameCount = (piece.endFrame ?? total) - piece.firstFrame
      const durationSeconds = (frameCount * piece.rate.den) / piece.rate.num
      return { ...common, targets: divided, piece, frameCount, durationSeconds }
    }),
  ]
}

/** The finest grid that all targets with pictures have in common. */
function gridOf(targets: Target[], fileRate: Fraction | null) {
  const [rendition] = targets.flatMap((target) => (target.kind === 'rendition' ? [target.video] : []))
  const streamRate = rendition?.frameRate ?? null
  const hasFiles = targets.some(({ kind }) => kind === 'file')
  if (streamRate === null) {
    return hasFiles && fileRate !== null
      ? { rate: fileRate, groupFrames: groupFrames(fileRate), withFiles: true }
      : null
  }
  const ofStream = { rate: streamRate, groupFrames: groupFrames(streamRate), withFiles: false }
  if (!hasFiles || fileRate === null) return ofStream
  const group = frameAt(ofStream.groupFrames, streamRate, fileRate)
  const isWhole =
    group * fileRate.den * streamRate.num === ofStream.groupFrames * streamRate.den * fileRate.num
  return isWhole ? { rate: fileRate, groupFrames: group, withFiles: true } : ofStream
}

function streamsOf({ picture, targets }: EncodePlan): number[] {
  return [picture.videoStream, ...targets.flatMap(soundsOf).map(({ stream }) => stream)]
}

/** Files are put together from their pictures and their sound. */
function pictureOf(target: Target): PartTarget[] {
  return 'video' in target ? [{ kind: 'rendition', name: pictureName(target), video: target.video }] : []
}

function stemOf(target: Target): PartTarget[] {
  if (target.kind !== 'file' || target.audio === null) return []
  const { format, audio, moreAudio } = target
  return [{ kind: 'stem', name: stemName(target), format, audio, moreAudio }]
}

/** Of the file that holds the pictures of a target. */
export function pictureName(target: Target): string {
  return target.kind === 'file' ? `picture-${target.name}.mp4` : target.name
}

/** Of the file that holds the sound of a target. */
export function stemName({ name }: Target): string {
  return `sound-${name}`
}
