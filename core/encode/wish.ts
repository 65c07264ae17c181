/** What a request for an encode comes to, once presets, shorthands and defaults are resolved. Pure. */
import {
  type AudioCodec,
  type Channels,
  codecsOf,
  type EncodeRequest,
  type Format,
  isStream,
  type OutputRequest,
  type Quality,
  type Tracks,
  type VideoCodec,
} from './options.ts'

/** All that `encode.video` has to know. */
export interface EncodeWish {
  quality: Quality
  outputs: (Required<Pick<OutputRequest, 'format' | 'codec'>> & {
    /** Null: as `quality` says. */
    height: number | null
    ladder: boolean
    crf: number | null
    bitrate: number | null
    /** Null: without sound. */
    audio: WantedAudio | null
  })[]
  poster: { atSeconds: number | null } | null
  thumbnails: { count: number; width: number } | null
  storyboard: { intervalSeconds: number | null; width: number } | null
  subtitles: boolean
  /** LUFS. */
  loudness: number | null
  trim: { start: number; end: number | null } | null
  watermark: Watermark | null
  segments: EncodeRequest['segments']
}
/** `bitrate` null: as the channels need. */
export interface WantedAudio {
  codec: AudioCodec
  bitrate: number | null
  channels: Channels
  tracks: Tracks
}
export type Watermark = NonNullable<EncodeRequest['watermark']>
export type WantedOutput = EncodeWish['outputs'][number]

/** @param request one without `problemsOf` */
export function resolve(request: EncodeRequest): EncodeWish {
  const { preset, thumbnails = 0, storyboard, loudness, trim } = request
  const poster = request.poster ?? (preset === 'web' || preset === 'streaming')
  const listed: OutputRequest[] = request.outputs ?? [{ format: formatOf(request) }]
  const streams = listed.some(({ format }) => isStream(format))
  const outputs: OutputRequest[] =
    request.ladder === true && !streams ? [...listed, { format: 'hls' }] : listed
  const isLadder = outputs.every(({ format, height }) => isStream(format) && height === undefined)
  return {
    quality: request.quality ?? (isLadder ? '4k' : '1080p'),
    outputs: outputs.map((output) => resolveOutput(output)),
    poster: orNull(poster, ({ atSeconds = null }) => ({ atSeconds })),
    thumbnails: orNull(
      typeof thumbnails === 'number' ? thumbnails > 0 && { count: thumbnails } : thumbnails,
      ({ count, width = 320 }) => ({ count, width }),
    ),
    storyboard: orNull(storyboard, ({ intervalSeconds = null, width = 160 }) => ({ intervalSeconds, width })),
    subtitles: request.subtitles ?? true,
    loudness: orNull(loudness, ({ lufs = -23 }) => lufs),
    trim: trim === undefined ? null : { start: trim.start, end: trim.end ?? null },
    watermark: request.watermark ?? null,
    segments: request.segments,
  }
}

/** Of an option that is left out, switched on or off, or described. */
function orNull<Option extends object, Resolved>(
  option: true | Option | false | undefined,
  resolved: (option: Option) => Resolved,
): Resolved | null {
  if (option === undefined || option === false) return null
  return resolved(option === true ? ({} as Option) : option)
}

const usualAudio = { bitrate: null, channels: 2, tracks: 'default' } as const

export function resolveOutput({ format, codec, height, crf, bitrate, audio }: OutputRequest): WantedOutput {
  const [defaultAudio = 'aac'] = codecsOf[format].audio
  return {
    format,
    codec: codec ?? codecsOf[format].video[0] ?? 'h264',
    height: height ?? null,
    ladder: isStream(format) && height === undefined,
    crf: crf ?? null,
    bitrate: bitrate ?? null,
    audio: audio === false ? null : { ...usualAudio, codec: defaultAudio, ...audio },
  }
}

function formatOf({ preset, format = 'mp4', ladder }: EncodeRequest): Format {
  if (preset === 'streaming') return 'hls'
  if (preset === 'webm') return 'webm'
  return ladder === true && format === 'mp4' ? 'hls' : format
}

/** Codecs that a request needs encoders for. */
export function codecsNeeded(request: Omit<EncodeRequest, 'watermark'>): (VideoCodec | AudioCodec)[] {
  const { outputs } = resolve({ ...request, watermark: undefined })
  return [
    ...new Set(outputs.flatMap(({ codec, audio }) => (audio === null ? [codec] : [codec, audio.codec]))),
  ]
}
