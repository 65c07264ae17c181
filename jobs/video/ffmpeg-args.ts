/** The command line of an encode: each option with what breaks without it. */
import { join } from 'node:path'
import type { FfmpegAbilities } from '../../core/encode/abilities.ts'
import { audioOptions, type Encoders, videoOptions } from './encoders.ts'
import { filterGraph } from './filters.ts'
import { type Input, inputOptions } from './input.ts'
import {
  type AudioPlan,
  groupSeconds,
  type PicturePlan,
  soundsOf,
  type Target,
  type VideoPlan,
} from './plan.ts'
import { type Entry, entryOptions, type Piece } from './segments/piece.ts'
import { type Trim, trimOptions, trimSound } from './trim.ts'

export interface EncodeCommand {
  input: Input
  /** Where the targets' files go, each under its name. */
  directory: string
  picture: PicturePlan
  trim: Trim | null
  /** Left out: the video is read whole, as it is. */
  entry?: Entry | undefined
  piece?: Piece | null
  targets: (Target | Stem)[]
  /** From `prepareWatermark`; null where there is none. */
  watermark: string | null
  /** Go into every file. */
  subtitles: { path: string; language: string | null }[]
  /** Filter by which the sound of a stream is brought to its loudness. */
  loudness: Map<number, string>
  encoders: Encoders
  /** Of a picture of the source, whatever it announced. */
  maxPixels: number
  /** From `syncOption`. */
  sync: string[]
  /** Whether the last picture lasts on a clock of fine ticks, too: FFmpeg before 5.1 shows it for one, and so not at all. */
  hasFineClock: boolean
  /** Of each encoder and of the decoder. */
  threads: number
}

/** The sound of a file whose pictures are encoded elsewhere. */
export interface Stem {
  kind: 'stem'
  name: string
  format: 'mp4' | 'webm'
  audio: AudioPlan
  moreAudio: AudioPlan[]
}

/** One run of FFmpeg that decodes the source once for all targets. */
export function encodeArguments(command: EncodeCommand): string[] {
  const { picture, trim, piece = null, targets, subtitles } = command
  const videos = targets.flatMap((target) => ('video' in target ? [target.video] : []))
  let video = 0
  return [
    ...sourceOptions(command),
    ...subtitles.flatMap(({ path }) => ['-f', 'webvtt', '-i', `file:${path}`]),
    ...(videos.length === 0 ? [] : ['-filter_complex', filterGraph(picture, videos, { trim, piece })]),
    ...targets.flatMap((target) => targetOptions(target, `[v${'video' in target ? video++ : ''}]`, command)),
  ]
}

/** The first input, and what is laid over it as the second. */
export function sourceOptions(
  command: Pick<
    EncodeCommand,
    'input' | 'picture' | 'trim' | 'entry' | 'watermark' | 'maxPixels' | 'threads'
  >,
): string[] {
  const { input, picture, trim, entry, watermark, maxPixels, threads } = command
  return [
    ...['-max_pixels', String(maxPixels)], // the size may change in the middle
    // New filters would begin at zero again: everything up to now would be filled with the one picture. Those of sound
    // take no change as they are.
    ...(picture.changingFrom === null ? [] : ['-reinit_filter:v', '0']),
    ...['-threads', String(threads)],
    ...trimOptions(trim),
    ...(entry === undefined ? [] : entryOptions(entry)),
    ...inputOptions(input),
    ...(watermark === null ? [] : ['-f', 'png_pipe', '-i', `file:${watermark}`]),
  ]
}

function targetOptions(target: Target | Stem, label: string, command: EncodeCommand): string[] {
  const { encoders, hasFineClock, picture, sync, threads } = command
  return [
    ...('video' in target
      ? [
          '-map',
          label,
          ...sync,
          ...clockOf(target.video, hasFineClock),
          ...videoOptions(target.video, encoders, threads),
        ]
      : []),
    ...('video' in target && (picture.hdr !== null || picture.isRgb) ? bt709 : []),
    ...soundsOf(target).flatMap((audio, number) => soundOptions(audio, number, target.kind, command)),
    ...['-map_metadata', '-1'], // phones write the place of the recording into it
    ...['-map_chapters', '-1'], // they would become a data stream of their own
    ...(target.kind === 'file' ? soundNames(target) : []),
    ...(target.kind === 'file' ? subtitleOptions(target.format, command) : []),
    ...['-dn', '-max_muxing_queue_size', '4096'], // streams that begin seconds apart overflow the default
    ...containerOptions(target),
    join(command.directory, target.name),
  ]
}

/**
 * In ticks of MPEG, or of the fastest rate that there is as a rule. By itself FFmpeg counts in pictures of the average
 * rate: of sixty that follow a pause, it keeps those that are as far apart as all are on average. Of the pictures alone:
 * Opus counts in samples.
 */
function clockOf({ pace }: VideoPlan, hasFineClock: boolean): string[] {
  return pace === null ? [] : ['-enc_time_base:v', hasFineClock ? '1:90000' : '1:60']
}

/** What tone mapping made of it must not be taken for HDR any more; and of what was RGB nothing says what it is now. */
const bt709 = ['-color_primaries', 'bt709', '-color_trc', 'bt709', '-colorspace', 'bt709']

/** What a player shows of sounds to choose from; the first is what it begins with. */
export function soundNames(target: Target): string[] {
  return soundsOf(target).flatMap(({ language, title }, number) => [
    ...[`-metadata:s:a:${number}`, `language=${language ?? 'und'}`],
    ...(title === null ? [] : [`-metadata:s:a:${number}`, `title=${title}`]),
    ...[`-disposition:a:${number}`, number === 0 ? 'default' : '0'],
  ])
}

function soundOptions(
  audio: AudioPlan,
  number: number,
  kind: (Target | Stem)['kind'],
  { encoders, loudness, trim }: EncodeCommand,
): string[] {
  const standsAlone = kind === 'sound'
  const made = loudness.get(audio.stream)
  const filters = [
    ...trimSound(trim),
    ...(made === undefined ? [] : [made]),
    // Gaps in the sound are filled, or it would run ahead of the picture; what is muxed by itself begins at zero.
    `aresample=${audio.sampleRate}:async=1${standsAlone ? ':first_pts=0' : ''}`,
    // The same six channels have more than one name, and encoders know only this one.
    ...(audio.channels === 6 ? ['aformat=channel_layouts=5.1'] : []),
    // The encoder puts so many samples in front. Players of segments don't know; so it takes the place of the first.
    ...(standsAlone && audio.codec === 'aac' ? [`atrim=start_sample=${aacPriming}`] : []),
  ]
  return [
    ...['-map', `0:${audio.stream}`, `-filter:a:${number}`, filters.join(',')],
    ...audioOptions(audio, encoders, number),
  ]
}

/** Samples. */
const aacPriming = 1024

function subtitleOptions(format: 'mp4' | 'webm', { subtitles, watermark }: EncodeCommand): string[] {
  const first = watermark === null ? 1 : 2
  return [
    ...subtitles.flatMap((_, index) => ['-map', `${first + index}:0`]),
    ...subtitles.flatMap(({ language }, index) => [
      `-metadata:s:s:${index}`,
      `language=${language ?? 'und'}`,
    ]),
    ...(subtitles.length === 0 ? [] : ['-c:s', format === 'mp4' ? 'mov_text' : 'webvtt']),
  ]
}

export function containerOptions(target: Target | Stem): string[] {
  if (target.kind === 'file' || target.kind === 'stem' || target.kind === 'draft') {
    return target.kind !== 'draft' && target.format === 'webm'
      ? ['-f', 'webm']
      : // Index first: playback starts before the download ends. Opus in MP4 is experimental to FFmpeg before 2020.
        ['-movflags', '+faststart', '-strict', 'experimental', '-f', 'mp4']
  }
  return [
    // A fragment for each group of pictures: what segments are made of. delay_moov: FFmpeg knows what it writes into
    // the index only after the first packets.
    '-movflags', `+delay_moov+default_base_moof${target.kind === 'rendition' ? '+frag_keyframe' : ''}`,
    ...(target.kind === 'sound' ? ['-frag_duration', String(groupSeconds * 1_000_000)] : []),
    '-strict', 'experimental',
    '-f', 'mp4',
  ] // biome-ignore format: options beside their values
}

/**
 * Frames keep their own times (variable frame rate). Left to itself FFmpeg before 2020 fills MP4 up to a constant rate,
 * and a screen recording grows a hundredfold. The option's name changed in FFmpeg 5.1.
 */
export function syncOption({ fpsMode }: FfmpegAbilities): string[] {
  return [fpsMode ? '-fps_mode' : '-vsync', 'vfr']
}
