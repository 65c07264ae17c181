/**
 * What one child of a divided encode does: targets of the plan, of a piece of the video or of all of it. It is the
 * parameters of a job, so all of it is checked: names become paths, and numbers become options of FFmpeg.
 */
import { z } from 'zod'
import { audioCodecs, videoCodecs, Watermark } from '../../../core/encode/options.ts'
import { JobError } from '../../../core/job.ts'
import type { Stem } from '../ffmpeg-args.ts'
import type { AudioPlan, PicturePlan, Target, VideoPlan } from '../plan.ts'
import { FractionSchema, PieceSchema } from './piece.ts'

const name = z.string().regex(/^[A-Za-z0-9][\w.-]{0,80}$/)
const bits = z.int().positive()
const length = z.int().min(2).max(16_384)

const Video = z.object({
  codec: z.enum(videoCodecs),
  width: length,
  height: length,
  crf: z.int().min(0).max(63).nullable(),
  bitrate: bits.nullable(),
  maxBitrate: bits,
  frameRate: FractionSchema.nullable(),
  pace: z.number().positive().nullable().default(null),
  bFrames: z.boolean(),
}) satisfies z.ZodType<VideoPlan>

const label = z.string().max(1000).nullable()

const Audio = z.object({
  stream: z.int().min(0),
  codec: z.enum(audioCodecs),
  bitrate: bits,
  channels: z.union([z.literal(1), z.literal(2), z.literal(6)]),
  sampleRate: bits,
  language: label.default(null),
  title: label.default(null),
}) satisfies z.ZodType<AudioPlan>

const Picture = z.object({
  videoStream: z.int().min(0),
  deinterlace: z.boolean(),
  hdr: z.enum(['smpte2084', 'arib-std-b67']).nullable(),
  isRgb: z.boolean().default(false),
  changingFrom: z.object({ width: z.int().positive(), height: z.int().positive() }).nullable().default(null),
  watermark: Watermark.nullable(),
}) satisfies z.ZodType<PicturePlan>

/** As `measureLoudness` puts it together. */
const loudnessFilter = z.string().regex(/^(volume=-[\d.]+dB,)?loudnorm=[\w=:.+-]*$/)

const format = z.enum(['mp4', 'webm'])
const moreAudio = z.array(Audio).max(100).default([])

const PartTarget = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('file'), name, format, video: Video, audio: Audio.nullable(), moreAudio }),
  z.object({ kind: z.literal('rendition'), name, video: Video }),
  z.object({ kind: z.literal('sound'), name, audio: Audio, language: label, title: label }),
  z.object({ kind: z.literal('stem'), name, format, audio: Audio, moreAudio }),
]) satisfies z.ZodType<Exclude<Target, { kind: 'draft' }> | Stem>
export type PartTarget = z.output<typeof PartTarget>

export const PartParams = z.object({
  source: z.object({ key: z.string().min(1).max(1024) }),
  picture: Picture,
  /** Filter by which the sound of a stream is brought to its loudness. */
  loudness: z.array(z.tuple([z.int().min(0), loudnessFilter])),
  /** When the source begins, on its own clock. */
  startSeconds: z.number(),
  targets: z.array(PartTarget).min(1).max(100),
  /** Null: of the whole length. */
  piece: PieceSchema.nullable(),
  /** Pictures that it encodes, as far as they can be told before: its weight in the progress of the whole. */
  frameCount: z.int().min(0),
  durationSeconds: z.number().min(0),
})
export type PartParams = z.output<typeof PartParams>

/** What it gives back to the parent. */
export const PartResult = z.object({
  files: z.array(z.object({ name, key: z.string(), sizeBytes: z.int() })),
  frameCount: z.int(),
  damagedFrames: z.int(),
})
export type PartResult = z.output<typeof PartResult>

export function invalidPiece({ name }: { name: string }, problem: string): JobError {
  return new JobError('output_invalid', `A piece of ${name} ${problem}.`)
}
