/**
 * What an encode can be asked for: the API checks requests by it, and `encode.video` its parameters. It stands in core
 * because both must mean the same. Formats, codecs and what goes with what are stated here once.
 */
import { z } from 'zod'

const qualities = ['720p', '1080p', '4k'] as const
const formats = ['mp4', 'webm', 'hls', 'dash'] as const
const videoCodecs = ['h264', 'hevc', 'vp9', 'av1'] as const
const audioCodecs = ['aac', 'opus'] as const
const presets = ['web', 'streaming', 'webm'] as const

export type Quality = (typeof qualities)[number]
export type Format = (typeof formats)[number]
export type VideoCodec = (typeof videoCodecs)[number]
export type AudioCodec = (typeof audioCodecs)[number]

/** FFmpeg's encoders of a codec, the better first: one of them is enough. */
export const encodersOf: Record<VideoCodec | AudioCodec, readonly string[]> = {
  h264: ['libx264'],
  hevc: ['libx265'],
  vp9: ['libvpx-vp9'],
  av1: ['libsvtav1', 'libaom-av1'],
  aac: ['aac'],
  opus: ['libopus'],
}

/** The first is taken when none is asked for. */
const codecsOf: Record<Format, { video: readonly VideoCodec[]; audio: readonly AudioCodec[] }> = {
  mp4: { video: videoCodecs, audio: audioCodecs },
  webm: { video: ['vp9', 'av1'], audio: ['opus'] },
  hls: { video: videoCodecs, audio: audioCodecs },
  dash: { video: videoCodecs, audio: audioCodecs },
}

const highestCrf: Record<VideoCodec, number> = { h264: 51, hevc: 51, vp9: 63, av1: 63 }

const Audio = z.strictObject({
  codec: z.enum(audioCodecs).optional().describe('Default: AAC, in WebM Opus.'),
  bitrate: z.int().min(16_000).max(512_000).optional().describe('Bits per second, default 160,000.'),
})

const Output = z.strictObject({
  format: z.enum(formats).describe('HLS and DASH share their segments: each request for one gives both.'),
  codec: z.enum(videoCodecs).optional().describe('Default: H.264, in WebM VP9.'),
  height: z
    .int()
    .min(16)
    .max(4320)
    .optional()
    .describe(
      'Lines, at most; of a picture that stands, its columns. Never more than the source has. Left out: 1080, and in HLS and DASH a ladder.',
    ),
  crf: z.int().min(0).max(63).optional().describe("The encoder's constant quality; less is better."),
  bitrate: z.int().min(50_000).max(200_000_000).optional().describe('Bits per second on average.'),
  audio: z
    .union([z.literal(false), Audio])
    .optional()
    .describe('false: without sound.'),
})
type OutputRequest = z.output<typeof Output>

const Poster = z.strictObject({
  atSeconds: z.number().min(0).max(604_800).optional().describe('Default: at a tenth of the video.'),
})

/** Options that belong to one request, beside `quality` and `format`. */
export const EncodeOptions = z.object({
  quality: z
    .enum(qualities)
    .optional()
    .describe('Largest size where no height is named. Default 1080p; a ladder goes up to 4k.'),
  format: z.enum(formats).default('mp4').describe('Of the one output, when outputs are not listed.'),
  preset: z
    .enum(presets)
    .optional()
    .describe(
      'web: MP4 and a poster; streaming: HLS and DASH in a ladder with a poster; webm: VP9 and Opus.',
    ),
  outputs: z.array(Output).max(20).optional().describe('In place of quality and format.'),
  ladder: z
    .boolean()
    .optional()
    .describe('HLS and DASH in several sizes, each at or below the size of the source.'),
  poster: z.union([z.boolean(), Poster]).optional().describe('A picture of the video, as JPEG.'),
})
export type EncodeRequest = z.output<typeof EncodeOptions>

/** A request once presets, shorthands and defaults are resolved: all that `encode.video` has to know. */
export interface EncodeWish {
  quality: Quality
  outputs: (Required<Pick<OutputRequest, 'format' | 'codec'>> & {
    /** Null: as `quality` says. */
    height: number | null
    ladder: boolean
    crf: number | null
    bitrate: number | null
    /** Null: without sound. */
    audio: { codec: AudioCodec; bitrate: number } | null
  })[]
  poster: { atSeconds: number | null } | null
}
export type WantedOutput = EncodeWish['outputs'][number]

/** @param request one without `problemsOf` */
export function resolve(request: EncodeRequest): EncodeWish {
  const { preset, poster = preset === 'web' || preset === 'streaming' } = request
  const listed: OutputRequest[] = request.outputs ?? [{ format: formatOf(request) }]
  const streams = listed.some(({ format }) => isStream(format))
  const outputs: OutputRequest[] =
    request.ladder === true && !streams ? [...listed, { format: 'hls' }] : listed
  const isLadder = outputs.every(({ format, height }) => isStream(format) && height === undefined)
  return {
    quality: request.quality ?? (isLadder ? '4k' : '1080p'),
    outputs: outputs.map((output) => resolveOutput(output)),
    poster: poster === false ? null : { atSeconds: (poster === true ? undefined : poster.atSeconds) ?? null },
  }
}

function resolveOutput({ format, codec, height, crf, bitrate, audio }: OutputRequest): WantedOutput {
  const [defaultAudio = 'aac'] = codecsOf[format].audio
  return {
    format,
    codec: codec ?? codecsOf[format].video[0] ?? 'h264',
    height: height ?? null,
    ladder: isStream(format) && height === undefined,
    crf: crf ?? null,
    bitrate: bitrate ?? null,
    audio:
      audio === false ? null : { codec: audio?.codec ?? defaultAudio, bitrate: audio?.bitrate ?? 160_000 },
  }
}

function formatOf({ preset, format, ladder }: EncodeRequest): Format {
  if (preset === 'streaming') return 'hls'
  if (preset === 'webm') return 'webm'
  return ladder === true && format === 'mp4' ? 'hls' : format
}

export function isStream(format: Format): boolean {
  return format === 'hls' || format === 'dash'
}

/** What a request can't be, though each of its parts may: for `superRefine`, with the path of each. */
export function problemsOf(request: EncodeRequest): { path: (string | number)[]; message: string }[] {
  const problems: ReturnType<typeof problemsOf> = []
  const seen = new Set<string>()
  for (const [index, output] of (request.outputs ?? []).entries()) {
    const { format, codec, height, crf, bitrate, audio } = output
    const at = (field: string, message: string) => problems.push({ path: ['outputs', index, field], message })
    const { video, audio: sounds } = codecsOf[format]
    if (codec !== undefined && !video.includes(codec)) {
      at('codec', `${format} takes ${video.join(' or ')}, not ${codec}`)
    }
    if (
      audio !== undefined &&
      audio !== false &&
      audio.codec !== undefined &&
      !sounds.includes(audio.codec)
    ) {
      at('audio', `${format} takes ${sounds.join(' or ')}, not ${audio.codec}`)
    }
    if (crf !== undefined && bitrate !== undefined) at('crf', 'expected either this or bitrate')
    const highest = highestCrf[codec ?? video[0] ?? 'h264']
    if (crf !== undefined && crf > highest) at('crf', `expected at most ${highest} for this codec`)
    if (bitrate !== undefined && isStream(format) && height === undefined) {
      at('bitrate', 'expected a height beside it: each size of a ladder has a bitrate of its own')
    }
    const same = [isStream(format) ? 'stream' : format, codec ?? video[0], height ?? 'any'].join(' ')
    if (seen.has(same)) at('format', 'the same codec and height is asked for twice')
    seen.add(same)
  }
  return problems
}

/** Codecs that a request needs encoders for. */
export function codecsNeeded(request: EncodeRequest): (VideoCodec | AudioCodec)[] {
  const { outputs } = resolve(request)
  return [
    ...new Set(outputs.flatMap(({ codec, audio }) => (audio === null ? [codec] : [codec, audio.codec]))),
  ]
}
