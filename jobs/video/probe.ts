/** What a file is, as ffprobe sees it. */
import { z } from 'zod'
import { JobError } from '../../core/job.ts'
import { runTool } from './ffmpeg.ts'
import { inputOptions } from './ffmpeg-args.ts'

export interface Media {
  /** ffprobe's name of the container, for example `mov,mp4,m4a,3gp,3g2,mj2`. */
  container: string
  /** Of the whole file; measured from the packets where the container does not say. */
  durationSeconds: number
  /** Whether the container announces its duration, rather than ffprobe guessing it from what is there. */
  announcesDuration: boolean
  bitrate: number
  video: {
    index: number
    codec: string
    /** As stored, before rotation. */
    width: number
    height: number
    /** Width of a pixel by its height. */
    sampleAspectRatio: number
    /** Degrees, a multiple of 90 as a rule. */
    rotation: number
    frameRate: number
    interlaced: boolean
    /** Packets in the stream: one a frame. */
    frameCount: number
  }
  audio: { index: number; codec: string; channels: number; sampleRate: number } | null
}

const number = z.coerce.number().catch(0)
const Stream = z.object({
  index: z.int(),
  codec_type: z.string().optional(),
  codec_name: z.string().default('unknown'),
  width: number,
  height: number,
  sample_aspect_ratio: z.string().optional(),
  avg_frame_rate: z.string().optional(),
  r_frame_rate: z.string().optional(),
  field_order: z.string().optional(),
  nb_read_packets: number,
  channels: number,
  sample_rate: number,
  duration: number,
  disposition: z.object({ default: number, attached_pic: number }).partial().optional(),
  tags: z.record(z.string(), z.string()).optional(),
  side_data_list: z.array(z.looseObject({ rotation: number.optional() })).optional(),
})
type Stream = z.output<typeof Stream>

const Output = z.object({
  streams: z.array(Stream).default([]),
  format: z.object({ format_name: z.string(), duration: number, bit_rate: number }),
})

/** Containers whose header tells how long they are; of others a missing end can't be noticed. */
const withAnnouncedDuration = /\b(mov|mp4|matroska|webm|avi|asf)\b/

/** @throws JobError invalid_media, unsupported_codec */
export async function probe(ffprobe: string, file: string, signal: AbortSignal): Promise<Media> {
  const { format, streams } = await inspect(ffprobe, file, signal)
  const video = pick(streams, 'video')
  if (video === undefined) throw invalid('The file has no video stream.')
  if (video.codec_name === 'unknown') {
    throw new JobError('unsupported_codec', 'The codec of the video is not known.', { retry: false })
  }
  if (video.width < 1 || video.height < 1 || video.nb_read_packets < 1) {
    throw invalid('The video stream holds no pictures.')
  }
  const audio = pick(streams, 'audio')
  const announced = format.duration > 0 && withAnnouncedDuration.test(format.format_name)
  return {
    container: format.format_name,
    durationSeconds:
      format.duration > 0 ? format.duration : await lastTimestamp(ffprobe, file, video.index, signal),
    announcesDuration: announced,
    bitrate: format.bit_rate,
    video: {
      index: video.index,
      codec: video.codec_name,
      width: video.width,
      height: video.height,
      sampleAspectRatio: ratio(video.sample_aspect_ratio) || 1,
      rotation: rotationOf(video),
      frameRate: ratio(video.avg_frame_rate) || ratio(video.r_frame_rate),
      interlaced: ['tt', 'bb', 'tb', 'bt'].includes(video.field_order ?? ''),
      frameCount: video.nb_read_packets,
    },
    audio:
      audio === undefined || audio.codec_name === 'unknown' || audio.channels < 1
        ? null
        : {
            index: audio.index,
            codec: audio.codec_name,
            channels: audio.channels,
            sampleRate: audio.sample_rate,
          },
  }
}

async function inspect(ffprobe: string, file: string, signal: AbortSignal) {
  const shown = ['-show_format', '-show_streams', '-count_packets', '-of', 'json']
  const { exitCode, stdout, stderr } = await runTool(
    ffprobe,
    ['-hide_banner', '-loglevel', 'error', ...shown, ...inputOptions(file)],
    { signal },
  )
  const parsed = Output.safeParse(exitCode === 0 ? JSON.parse(stdout) : null)
  if (parsed.success) return parsed.data
  throw invalid(`The file can not be read as a video${reason(stderr)}.`)
}

/** Streamed WebM and the like carry no duration: the last packet has it. */
async function lastTimestamp(ffprobe: string, file: string, stream: number, signal: AbortSignal) {
  const shown = ['-select_streams', String(stream), '-show_entries', 'packet=pts_time', '-of', 'csv=p=0']
  let last = 0
  await runTool(ffprobe, ['-hide_banner', '-loglevel', 'error', ...shown, ...inputOptions(file)], {
    signal,
    onLine: (line) => {
      last = Math.max(last, Number.parseFloat(line) || 0)
    },
  })
  return last
}

/** The default stream of a kind, or its first; cover pictures are no video. */
function pick(streams: Stream[], type: string): Stream | undefined {
  const candidates = streams.filter(
    (stream) => stream.codec_type === type && stream.disposition?.attached_pic !== 1,
  )
  return candidates.find((stream) => stream.disposition?.default === 1) ?? candidates[0]
}

function rotationOf(stream: Stream): number {
  const matrix = stream.side_data_list?.find(({ rotation }) => rotation !== undefined)?.rotation
  return matrix ?? (Number(stream.tags?.rotate ?? 0) || 0)
}

/** `30000/1001` or `4:3` as a number; 0 when it is none. */
function ratio(text = ''): number {
  const [over = 0, under = 1] = text.split(/[/:]/).map(Number)
  const value = over / under
  return Number.isFinite(value) ? value : 0
}

function invalid(message: string): JobError {
  return new JobError('invalid_media', message, { retry: false })
}

/** The end of ffprobe's last line, without the path that it begins with. */
function reason(stderr: string): string {
  const last = stderr.trim().split('\n').at(-1)?.split(': ').at(-1)?.trim() ?? ''
  return last === '' ? '' : ` (${last})`
}
