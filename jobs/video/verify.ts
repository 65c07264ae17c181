/** Checks what was encoded before anybody gets to see it. */
import { JobError } from '../../core/job.ts'
import type { Track } from './package.ts'
import { type AudioPlan, type EncodePlan, soundsOf, type Target, type VideoPlan } from './plan.ts'
import type { AudioTrack, Media } from './probe.ts'
import type { Trim } from './trim.ts'

/** A source may announce this much more than it holds before it counts as cut off: the larger of the two. */
const missingShare = 0.02
const missingSeconds = 0.5

/** @throws JobError output_invalid when a file is not what was planned, and `withoutSound` when nothing came of the sound */
export function verifyFile(
  seen: Media,
  target: Extract<Target, { kind: 'file' | 'draft' }>,
  { frameCount, trim }: { frameCount: number; trim: Trim | null },
): void {
  const { name, video } = target
  verifyPicture(name, seen, video, frameCount)
  const sounds = soundsOf(target)
  // FFmpeg ends well when it could decode no sample.
  if (seen.audioTracks.length < sounds.length) throw withoutSound(trim)
  expectSame(name, 'number of sounds', seen.audioTracks.length, sounds.length)
  for (const [index, audio] of sounds.entries()) verifySound(name, seen.audioTracks[index], audio)
}

/** A part may lie behind the end of the sound: that is no fault of the video, which is kept. */
export function withoutSound(trim: Trim | null): JobError {
  if (trim !== null) {
    const message = `There is no sound from ${trim.start} s on, or it can not be decoded: ask for the part without sound.`
    return new JobError('invalid_trim', message, { retry: false })
  }
  return new JobError('invalid_media', 'The sound of the video can not be decoded.', { retry: false })
}

/** Where a picture stands still for long, none begins in a part of it: that is no fault of the video, which is kept. */
export function refuseEmptyPart(trim: Trim | null, frameCount: number): void {
  if (trim === null || frameCount > 0) return
  const message = `No picture begins between ${trim.start} s and ${trim.end} s, or none can be decoded: ask for a longer part.`
  throw new JobError('invalid_trim', message, { retry: false })
}

/** @throws JobError output_invalid when a track is not what was planned, or does not hold what its index says */
export function verifyRendition(
  seen: Media,
  { video, name }: Extract<Target, { kind: 'rendition' }>,
  track: Track,
): void {
  verifyPicture(name, seen, video, track.sampleCount)
}

/** @param seen the audio stream of the output */
export function verifySound(name: string, seen: AudioTrack | undefined, audio: AudioPlan): void {
  expectSame(name, 'codec of the sound', seen?.codec ?? 'none', audio.codec)
  expectSame(name, 'number of channels', seen?.channels ?? 0, audio.channels)
}

/**
 * Players change from one size to another at the border of a segment: it must be the same in all.
 * @throws JobError output_invalid
 */
export function verifyAligned(outputs: { kind: string; name: string; track?: Track }[]): void {
  const renditions = outputs.filter(({ kind }) => kind === 'rendition')
  const [first] = renditions
  const borders = (track?: Track) => track?.segments.map(({ durationSeconds }) => durationSeconds).join(' ')
  for (const { name, track } of renditions) {
    if (first !== undefined && borders(track) !== borders(first.track)) {
      throw invalid(`The segments of ${name} do not begin where those of ${first.name} do.`)
    }
  }
}

/**
 * Pictures are held against pictures: the sound of the source may go on, and is not in every output.
 * @param encodedSeconds when the last picture of what was encoded ends
 * @throws JobError invalid_media when the source ends before it says it does
 */
export function verifyWhole(
  source: Media,
  { trim, durationSeconds }: Pick<EncodePlan, 'trim' | 'durationSeconds'>,
  encodedSeconds: number,
): void {
  const missing = Math.max(missingOf(source, trim), undecodedOf(source, trim, encodedSeconds))
  if (missing > Math.max(missingSeconds, missingShare * durationSeconds)) {
    const all = durationSeconds.toFixed(1)
    const message = `The video is cut off: ${missing.toFixed(1)} of ${all} s are missing.`
    throw new JobError('invalid_media', message, { retry: false })
  }
}

function verifyPicture(name: string, { video }: Media, plan: VideoPlan, frameCount: number): void {
  expectSame(name, 'codec', video.codec, plan.codec)
  expectSame(name, 'width', video.width, plan.width)
  expectSame(name, 'height', video.height, plan.height)
  expectSame(name, 'frame count', video.frameCount, frameCount)
}

function expectSame(name: string, what: string, is: string | number, expected: string | number): void {
  if (is !== expected) throw invalid(`The ${what} of ${name} is ${is}, not ${expected}.`)
}

function invalid(message: string): JobError {
  return new JobError('output_invalid', message)
}

/** Of the part that is wanted, what the source announces and does not hold. */
function missingOf({ durationSeconds, missingSeconds, video }: Media, trim: Trim | null): number {
  const { missingFrames, frameRate } = video
  if (trim !== null) return trim.end - (durationSeconds - missingSeconds)
  return missingFrames > 0 && frameRate > 0 ? missingFrames / frameRate : missingSeconds
}

/** Up to when the last picture begins: how long it is shown need not be known, or kept. A part may end long after. */
function undecodedOf({ announcesDuration, video }: Media, trim: Trim | null, encodedSeconds: number): number {
  if (trim !== null) return Math.min(trim.end, video.lastOfPartSeconds) - trim.start - encodedSeconds
  return announcesDuration ? video.lastSeconds - encodedSeconds : 0
}
