/**
 * What an encode can be asked for: the API checks requests by it, and `encode.video` its parameters. It stands in core
 * because both must mean the same. Formats, codecs and what goes with what are stated here once.
 */
import { z } from 'zod'

const qualities = ['720p', '1080p', '4k'] as const
const formats = ['mp4', 'webm', 'hls', 'dash'] as const
export const videoCodecs = ['h264', 'hevc', 'vp9', 'av1'] as const
export const audioCodecs = ['aac', 'opus'] as const
const tracks = ['default', 'all'] as const
const presets = ['web', 'streaming', 'webm'] as const

export type Quality = (typeof qualities)[number]
export type Format = (typeof formats)[number]
export type VideoCodec = (typeof videoCodecs)[number]
export type AudioCodec = (typeof audioCodecs)[number]
/** One ear, two, and five around with one for the lowest notes (5.1). */
export type Channels = 1 | 2 | 6
export type Tracks = (typeof tracks)[number]

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
export const codecsOf: Record<Format, { video: readonly VideoCodec[]; audio: readonly AudioCodec[] }> = {
  mp4: { video: videoCodecs, audio: audioCodecs },
  webm: { video: ['vp9', 'av1'], audio: ['opus'] },
  hls: { video: videoCodecs, audio: audioCodecs },
  dash: { video: videoCodecs, audio: audioCodecs },
}

/** Of H.264, 0 is lossless: no picture for the profile that players take. Of AV1, FFmpeg takes it for none given (SVT). */
const crfRange: Record<VideoCodec, { least: number; highest: number }> = {
  h264: { least: 1, highest: 51 },
  hevc: { least: 0, highest: 51 },
  vp9: { least: 0, highest: 63 },
  av1: { least: 1, highest: 63 },
}

/**
 * For a union of a short form and, last, an object: what is accepted, or which field of the object is wrong. Zod alone would
 * say "Invalid input" of both.
 */
function expecting(accepted: string) {
  return ({ errors = [] }: { errors?: z.core.$ZodIssue[][] }) => {
    const inside = errors.at(-1)?.filter(({ path }) => path.length > 0) ?? []
    if (inside.length === 0) return `expected ${accepted}`
    return inside.map(({ path, message }) => `${path.join('.')}: ${message}`).join(', ')
  }
}

const Audio = z.strictObject({
  codec: z.enum(audioCodecs).optional().describe('Default: AAC, in WebM Opus.'),
  bitrate: z
    .int()
    .min(16_000)
    .max(512_000)
    .optional()
    .describe('Bits per second, default 160,000, with six channels 384,000.'),
  channels: z
    .literal([1, 2, 6], 'expected 1, 2 or 6')
    .optional()
    .describe(
      'At most: mono, stereo (default) or 5.1. Stereo stays stereo; three to five channels become 5.1 with silent ones.',
    ),
  tracks: z
    .enum(tracks)
    .optional()
    .describe(
      'Of a file: its default sound, or all with their languages. HLS and DASH always have all of them.',
    ),
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
    .union([z.literal(false), Audio], {
      error: expecting('false or an object of codec, bitrate, channels and tracks'),
    })
    .optional()
    .describe('false: without sound.'),
})
export type OutputRequest = z.output<typeof Output>

const Poster = z.strictObject({
  atSeconds: z.number().min(0).max(604_800).optional().describe('Default: at a tenth of the video.'),
})

const Thumbnails = z.strictObject({
  count: z.int().min(1).max(100),
  width: z.int().min(16).max(1920).optional().describe('Pixels, default 320.'),
})

const Storyboard = z.strictObject({
  intervalSeconds: z
    .number()
    .min(2)
    .max(3600)
    .optional()
    .describe('Between its pictures. Default: as many as there is room for on one sheet of 100.'),
  width: z.int().min(16).max(640).optional().describe('Of each picture, default 160.'),
})

const Trim = z.strictObject({
  start: z.number().min(0).max(604_800).default(0).describe('Seconds.'),
  end: z.number().min(0).max(604_800).optional().describe('Seconds; default: the end of the video.'),
})

const Loudness = z.strictObject({
  lufs: z
    .number()
    .min(-70)
    .max(-5)
    .optional()
    .describe('Integrated loudness, default -23 as EBU R128 has it.'),
})

const positions = ['top-left', 'top-right', 'bottom-left', 'bottom-right', 'center'] as const

/** How a watermark looks; where its picture is stands beside it. */
export const WatermarkLook = z.strictObject({
  position: z.enum(positions).default('bottom-right'),
  width: z.number().min(0.01).max(1).default(0.12).describe("Of the video's width."),
  margin: z.number().min(0).max(0.5).default(0.02).describe("To the edges, of the video's width."),
  opacity: z.number().min(0).max(1).default(1),
})

export const Watermark = WatermarkLook.extend({ key: z.string().min(1).max(1024) })

/** Of the progress of an encode, what encoding is; before it the source is fetched, after it all is packaged and stored. */
export const encodingPercent = { from: 2, to: 94 }

/** What a request can say of an encode. */
export const EncodeOptions = z.strictObject({
  quality: z
    .enum(qualities)
    .optional()
    .describe('Largest size where no height is named. Default 1080p; a ladder goes up to 4k.'),
  format: z
    .enum(formats)
    .optional()
    .describe(
      'Of the one output, when outputs are not listed. Default mp4; with a ladder there is no file then.',
    ),
  preset: z
    .enum(presets)
    .optional()
    .describe(
      'web: MP4 and a poster; streaming: HLS and DASH in a ladder with a poster; webm: VP9 and Opus.',
    ),
  outputs: z
    .array(Output)
    .max(20)
    .optional()
    .describe('In place of format and preset. Those without a height are as large as quality says.'),
  ladder: z
    .boolean()
    .optional()
    .describe(
      'HLS and DASH in several sizes, each at or below the size of the source and of quality; beside outputs, if these are files.',
    ),
  poster: z
    .union([z.boolean(), Poster], { error: expecting('true, false or an object of atSeconds') })
    .optional()
    .describe('A picture of the video, as JPEG.'),
  thumbnails: z
    .union([z.int().min(0).max(100), Thumbnails], {
      error: expecting('an integer from 0 to 100 or an object of count and width'),
    })
    .optional()
    .describe('So many pictures, evenly spread.'),
  storyboard: z
    .union([z.boolean(), Storyboard], {
      error: expecting('true, false or an object of intervalSeconds and width'),
    })
    .optional()
    .describe('Small pictures on one sheet, and WebVTT that says which belongs to what time.'),
  subtitles: z.boolean().optional().describe('Whether text subtitles are carried over; default true.'),
  loudness: z
    .union([z.boolean(), Loudness], { error: expecting('true, false or an object of lufs') })
    .optional()
    .describe('Makes all videos equally loud (EBU R128, in two passes).'),
  trim: Trim.optional().describe('Only this part of the video.'),
  watermark: Watermark.optional(),
  segments: z
    .union([z.enum(['auto', 'off']), z.int().min(1).max(256)], {
      error: expecting('auto, off or an integer from 1 to 256'),
    })
    .default('auto')
    .describe(
      'Pieces that workers encode at the same time, at most. auto: by the length of the video and the workers that are free; off: one piece.',
    ),
})
export type EncodeRequest = z.output<typeof EncodeOptions>

export function isStream(format: Format): boolean {
  return format === 'hls' || format === 'dash'
}

/** What a request can't be, though each of its parts may: for `superRefine`, with the path of each. */
export function problemsOf(
  request: Omit<EncodeRequest, 'watermark'>,
): { path: (string | number)[]; message: string }[] {
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
    const { least, highest } = crfRange[codec ?? video[0] ?? 'h264']
    if (crf !== undefined && crf < least) at('crf', `expected at least ${least} for this codec`)
    if (crf !== undefined && crf > highest) at('crf', `expected at most ${highest} for this codec`)
    if (bitrate !== undefined && isStream(format) && height === undefined) {
      at('bitrate', 'expected a height beside it: each size of a ladder has a bitrate of its own')
    }
    const same = [isStream(format) ? 'stream' : format, codec ?? video[0], height ?? 'any'].join(' ')
    if (seen.has(same)) at('format', 'the same codec and height is asked for twice')
    seen.add(same)
  }
  const { trim } = request
  if (trim?.end !== undefined && trim.end <= trim.start) {
    problems.push({ path: ['trim', 'end'], message: 'expected a time after start' })
  }
  return problems
}
