/** FFmpeg's encoders: how each is told size of the bits, speed, and where its key frames are. */
import { type FfmpegAbilities, toneMappingFilters } from '../../core/encode/abilities.ts'
import { type AudioCodec, encodersOf, type VideoCodec } from '../../core/encode/options.ts'
import { JobError } from '../../core/job.ts'
import { type AudioPlan, groupSeconds, type VideoPlan } from './plan.ts'

/** Those of a codec's encoders that are there, the better first. */
export type Encoders = Partial<Record<VideoCodec | AudioCodec, string[]>>

/** SVT takes no picture with a side that is shorter. */
const leastSvtSide = 64

/** @throws JobError encoder_missing, retried: another worker's FFmpeg may have it */
export function findEncoders(
  { encoders }: FfmpegAbilities,
  codecs: Iterable<VideoCodec | AudioCodec>,
): Encoders {
  const found: Encoders = {}
  for (const codec of codecs) {
    const these = encodersOf[codec].filter((name) => encoders.includes(name))
    if (these.length === 0) {
      const names = encodersOf[codec].join(' or ')
      throw new JobError('encoder_missing', `The worker's FFmpeg has no encoder for ${codec}: ${names}.`)
    }
    found[codec] = these
  }
  return found
}

/** @throws JobError filter_missing, retried: another worker's FFmpeg may have them */
export function requireToneMapping({ toneMapping }: FfmpegAbilities): void {
  const missing = toneMappingFilters.filter((name) => !toneMapping.includes(name))
  if (missing.length === 0) return
  const message = `The video is in HDR, and the worker's FFmpeg has no filter to show it on other screens: ${missing.join(', ')}.`
  throw new JobError('filter_missing', message)
}

const usualCrf: Record<string, number> = {
  libx264: 21,
  libx265: 24,
  'libvpx-vp9': 31,
  'libaom-av1': 31,
  libsvtav1: 32,
}

/** Frames from one key frame to the next where the rate is constant. */
export function groupFrames({ num, den }: { num: number; den: number }): number {
  return Math.max(1, Math.round((groupSeconds * num) / den))
}

/** @throws JobError picture_too_small */
export function videoOptions(plan: VideoPlan, encoders: Encoders, threads: number): string[] {
  const encoder = encoderFor(plan, encoders)
  return [
    ...['-c:v', encoder, ...speedOf(encoder)],
    // FFmpeg before 2020 takes decoding times for the length of MP4, and an end that slows down would be cut off.
    ...(plan.bFrames ? [] : ['-bf', '0']),
    ...rateOf(plan, encoder),
    ...keyFramesOf(plan, encoder),
    ...paramsOf(plan, encoder),
    ...['-threads', String(threads)],
  ]
}

/** @param number of the sound in its file, from 0 */
export function audioOptions(plan: AudioPlan, encoders: Encoders, number: number): string[] {
  const { codec, bitrate, channels, sampleRate } = plan
  const [encoder = ''] = encoders[codec] ?? []
  return [
    ...[`-c:a:${number}`, encoder, `-b:a:${number}`, String(bitrate)],
    ...[`-ac:a:${number}`, String(channels), `-ar:a:${number}`, String(sampleRate)],
  ]
}

function encoderFor({ codec, width, height }: VideoPlan, encoders: Encoders): string {
  const takes = (encoder: string) => encoder !== 'libsvtav1' || Math.min(width, height) >= leastSvtSide
  const encoder = encoders[codec]?.find(takes)
  if (encoder !== undefined) return encoder
  const message = `The worker's FFmpeg encodes ${codec} by ${encoders[codec]?.join(' or ')}, which takes no picture of ${width}x${height}: ${leastSvtSide} is the least. Ask for another codec.`
  throw new JobError('picture_too_small', message, { retry: false })
}

function speedOf(encoder: string): string[] {
  switch (encoder) {
    case 'libx264':
      return ['-preset', 'medium', '-profile:v', 'high']
    case 'libx265':
      // hvc1: Apple's players take no stream under the other name.
      return ['-preset', 'medium', '-tag:v', 'hvc1']
    case 'libvpx-vp9':
      return ['-deadline', 'good', '-cpu-used', '3', '-row-mt', '1']
    case 'libaom-av1':
      // It counts as experimental in FFmpeg before 2020.
      return ['-strict', 'experimental', '-cpu-used', '6', '-row-mt', '1', '-tiles', '2x1']
    default:
      return ['-preset', '8']
  }
}

/** A constant quality whose bursts are bounded, or an average. */
function rateOf({ crf, bitrate, maxBitrate, frameRate }: VideoPlan, encoder: string): string[] {
  const top = bitrate === null ? maxBitrate : Math.round(1.5 * bitrate)
  // What is streamed is held to its bound over a segment, what is kept over twice as long.
  const buffer = frameRate === null ? 2 * top : top
  const bound = ['-maxrate', String(top), '-bufsize', String(buffer)]
  if (bitrate !== null) {
    // SVT takes a bound only beside a constant quality.
    return ['-b:v', String(bitrate), ...(encoder === 'libsvtav1' ? [] : bound)]
  }
  const quality = ['-crf', String(crf ?? usualCrf[encoder])]
  // Of Google's encoders, the bitrate beside a constant quality is its bound.
  if (encoder.startsWith('libvpx') || encoder.startsWith('libaom')) return [...quality, '-b:v', String(top)]
  return [...quality, ...bound]
}

/** What an encoder is told by names of its own, all at once: of two such options FFmpeg takes the second alone. */
function paramsOf({ pace, frameRate }: VideoPlan, encoder: string): string[] {
  // What the level of a stream goes by. Told nothing, they take the ticks of a recording's clock for pictures.
  const fps = pace === null ? [] : [`fps=${Math.round(1000 * pace)}/1000`]
  switch (encoder) {
    case 'libx264':
      return fps.flatMap((rate) => ['-x264-params', rate])
    case 'libx265': {
      const frames = frameRate === null ? null : groupFrames(frameRate)
      const group =
        frames === null ? [] : [`keyint=${frames}`, `min-keyint=${frames}`, 'scenecut=0', 'open-gop=0']
      // Its log would drown FFmpeg's. What it notes of the processor and its threads would stand in the configuration
      // of the decoder, and pieces of unlike workers would not be joined.
      return ['-x265-params', [...fps, ...group, 'log-level=error', 'info=0'].join(':')]
    }
    default:
      return []
  }
}

/** Where the frame rate is constant, groups of pictures of exactly one length, none of which looks into another. */
function keyFramesOf({ frameRate }: VideoPlan, encoder: string): string[] {
  if (frameRate === null) {
    // Players seek to key frames: one at least every so often. Counted from the last one, not by their number, which
    // falls behind where pictures pause: all that came after would be key frames until it had caught up.
    return ['-force_key_frames', `expr:if(isnan(prev_forced_t),1,gte(t,prev_forced_t+${groupSeconds}))`]
  }
  const frames = String(groupFrames(frameRate))
  const group = ['-g', frames, '-keyint_min', frames]
  switch (encoder) {
    case 'libx264':
      return [...group, '-sc_threshold', '0', '-flags', '+cgop']
    case 'libsvtav1':
      return ['-g', frames]
    default:
      return group
  }
}
