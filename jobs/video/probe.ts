/** What a file is, as ffprobe sees it. */
import { z } from 'zod'
import { JobError } from '../../core/job.ts'
import { failureOf } from './classify.ts'
import { allocationOptions, runTool, type ToolCare } from './ffmpeg.ts'
import { inputOptions } from './input.ts'
import { isUnbroken } from './matroska.ts'

export interface Media {
  /** ffprobe's name of the container, for example `mov,mp4,m4a,3gp,3g2,mj2`. */
  container: string
  /** Of the whole file; measured from the packets where the container does not say. */
  durationSeconds: number
  /** Whether the container announces its duration, rather than ffprobe guessing it from what is there. */
  announcesDuration: boolean
  /** When it begins, on its own clock: FFmpeg's zero. */
  startSeconds: number
  /** The end of the announced duration that no packet of any stream reaches. */
  missingSeconds: number
  bitrate: number
  /** Of any kind. */
  streamCount: number
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
    /** What most frames keep to, as a fraction; 0/1 when it can't be told. */
    nominalFrameRate: { num: number; den: number }
    /** As the stream names them; of HDR `smpte2084` or `arib-std-b67`. */
    colorTransfer: string
    /** Stored as red, green and blue: what is made of it has the matrix that it is made with. */
    isRgb: boolean
    interlaced: boolean
    /** Pictures that are there and are shown. */
    frameCount: number
    /** When the last of them begins and when it ends, from `startSeconds`: sound may go on. */
    lastSeconds: number
    endSeconds: number
    /** When the last one begins that is decoded without others. */
    lastKeySeconds: number
    /** When the last one begins of the part that is wanted. */
    lastOfPartSeconds: number
    /** Pictures that the index lists but the file does not hold; 0 where there is no index of all of them. */
    missingFrames: number
    /** Whether the last pictures lie further apart than the first, as when a recorded screen stands still. */
    slowsDown: boolean
  }
  /** The default one of `audioTracks`. */
  audio: AudioTrack | null
  audioTracks: AudioTrack[]
  /** Those that are announced but hold nothing, by their numbers among all sounds from 1: none of `audioTracks`. */
  emptySounds: number[]
  /** Those whose codec is not known, likewise. */
  unknownSounds: number[]
  subtitles: (TrackName & { index: number; codec: string })[]
}

interface TrackName {
  /** ISO 639-2 as a rule, null where the file does not say. */
  language: string | null
  title: string | null
}

export interface AudioTrack extends TrackName {
  index: number
  codec: string
  channels: number
  sampleRate: number
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
  color_transfer: z.string().default('unknown'),
  pix_fmt: z.string().default('unknown'),
  nb_frames: number,
  channels: number,
  sample_rate: number,
  start_time: number,
  duration: number,
  disposition: z.object({ default: number, attached_pic: number }).partial().optional(),
  tags: z.record(z.string(), z.string()).optional(),
  side_data_list: z.array(z.looseObject({ rotation: number.optional() })).optional(),
})
type Stream = z.output<typeof Stream>

const Output = z.object({
  streams: z.array(Stream).default([]),
  format: z.object({ format_name: z.string(), duration: number, start_time: number, bit_rate: number }),
})

/** Containers whose header tells how long they are; of others a missing end can't be noticed. */
const withAnnouncedDuration = /\b(mov|mp4|matroska|webm|avi|asf)\b/

/** FFmpeg's names of pixel formats. */
const rgb = /^(x2|[a0])?(rgb|bgr)|^gbr|^pal8/

/** Their track header counts every sample of the track. */
const withIndexOfAll = /\b(mov|mp4)\b/

/** What the last packets reach may differ from what is announced by so much for other reasons than a missing end. */
const tailSeconds = 0.5

/** A picture that begins so shortly before the end of a part need not be in it: times are rounded on their way. */
const roundedSeconds = 0.1

/**
 * @param partEndSeconds when the part that is wanted ends, left out: with the file
 * @throws JobError as `runTool` and `failureOf`
 */
export async function probe(
  ffprobe: string,
  file: string,
  care: ToolCare,
  partEndSeconds = Number.POSITIVE_INFINITY,
): Promise<Media> {
  const inspecting = inspect(ffprobe, file, care)
  const isWhole = partEndSeconds === Number.POSITIVE_INFINITY
  // Side by side: to start ffprobe is most of what either takes. Where a part ends only the zero of the clock tells.
  const reading = isWhole
    ? readPackets(ffprobe, file, care)
    : inspecting.then(({ format }) =>
        readPackets(ffprobe, file, care, format.start_time + partEndSeconds - roundedSeconds),
      )
  const [inspected, read] = await Promise.allSettled([inspecting, reading])
  if (inspected.status === 'rejected') throw inspected.reason
  const { format, streams } = inspected.value
  const container = format.format_name
  const video = pick(streams, 'video')
  if (video === undefined) throw invalid('The file has no video stream.')
  if (video.codec_name === 'unknown') {
    throw new JobError('unsupported_codec', 'The codec of the video is not known.', { retry: false })
  }
  if (read.status === 'rejected') throw read.reason
  const packets = read.value
  const pictures = (packets.get(video.index) ?? new PacketReader()).pictures
  if (video.width < 1 || video.height < 1 || pictures.shown < 1) {
    throw invalid('The video stream holds no pictures.')
  }
  const isEmpty = ({ index }: Stream) => !packets.has(index)
  const sounds = streams.filter(({ codec_type }) => codec_type === 'audio')
  // FFmpeg ends well when nothing comes of a sound, and then it is missing in what was encoded.
  const heard = sounds.filter((stream) => !isEmpty(stream))
  const known = heard.filter((stream) => audioTrack(stream) !== undefined)
  const audio = audioTrack(pick(known, 'audio'))
  const announcesDuration = format.duration > 0 && withAnnouncedDuration.test(container)
  const lengths = heard.flatMap(({ index }) => packets.get(index)?.pictures ?? [])
  const durationSeconds = announcesDuration
    ? durationOf(format, pictures)
    : Math.max(durationOf(format, pictures), spanOf(format, [pictures, ...lengths]))
  // Any stream may go on to the end.
  const endSeconds = Math.max(...[...packets.values()].map((reader) => reader.pictures.endSeconds))
  const unreached = announcesDuration ? Math.max(0, durationSeconds - endSeconds) : 0
  // The last picture stands still.
  const isStill = unreached > tailSeconds && container === 'matroska,webm' && (await isUnbroken(file))
  const missingSeconds = isStill ? 0 : unreached
  return {
    container,
    ...{ durationSeconds, announcesDuration, missingSeconds },
    startSeconds: format.start_time,
    bitrate: format.bit_rate,
    streamCount: streams.length,
    video: {
      index: video.index,
      codec: video.codec_name,
      width: video.width,
      height: video.height,
      sampleAspectRatio: ratio(video.sample_aspect_ratio) || 1,
      rotation: rotationOf(video),
      frameRate: ratio(video.avg_frame_rate) || paceOf(pictures) || ratio(video.r_frame_rate),
      nominalFrameRate: fraction(video.r_frame_rate),
      colorTransfer: video.color_transfer,
      isRgb: rgb.test(video.pix_fmt),
      interlaced: ['tt', 'bb', 'tb', 'bt'].includes(video.field_order ?? ''),
      frameCount: pictures.shown,
      ...placesOf(pictures, format, partEndSeconds),
      missingFrames: withIndexOfAll.test(container) ? missingOf(video, pictures) : 0,
      slowsDown: pictures.slowsDown,
    },
    audio: audio ?? null,
    audioTracks: known.flatMap((stream) => audioTrack(stream) ?? []),
    emptySounds: sounds.flatMap((stream, index) => (isEmpty(stream) ? index + 1 : [])),
    unknownSounds: sounds.flatMap((stream, index) =>
      heard.includes(stream) && !known.includes(stream) ? index + 1 : [],
    ),
    subtitles: streams
      .filter(({ codec_type }) => codec_type === 'subtitle')
      .map((stream) => ({ index: stream.index, codec: stream.codec_name, ...nameOf(stream) })),
  }
}

/** The first sound of a file that need not have a picture. @throws JobError as `probe` */
export async function probeSound(ffprobe: string, file: string, care: ToolCare): Promise<AudioTrack> {
  const { streams } = await inspect(ffprobe, file, care)
  const track = audioTrack(streams.find(({ codec_type }) => codec_type === 'audio'))
  if (track === undefined) throw invalid('The file has no sound.')
  return track
}

async function inspect(ffprobe: string, file: string, care: ToolCare) {
  const shown = ['-show_format', '-show_streams', '-of', 'json']
  const { stdout } = await runProbe(ffprobe, [...shown, ...inputOptions(file)], care)
  const parsed = Output.safeParse(JSON.parse(stdout))
  if (parsed.success) return parsed.data
  throw invalid('The file can not be read as a video.')
}

/** Pictures of the first or last seconds by which their pace is judged: more than B-frames ever reorder. */
const paceWindow = 16

/** From here on FFmpeg takes a step for a new beginning of the clock, in containers whose clock may jump. */
const jumpSeconds = 10

const withJumps = /^mpeg(ts)?$/

interface Pictures {
  stored: number
  /** Without those that an edit list cuts off. */
  shown: number
  /** Of the earliest and the latest. */
  firstSeconds: number
  lastSeconds: number
  lastKeySeconds: number
  /** Of the latest of the part. */
  lastOfPartSeconds: number
  /** Of the one that is shown longest. */
  endSeconds: number
  /** Without the jumps. */
  steadySeconds: number
  slowsDown: boolean
}

/** Sees the packets of a stream one after the other. */
class PacketReader {
  #seen = {
    stored: 0,
    shown: 0,
    firstSeconds: Number.POSITIVE_INFINITY,
    lastSeconds: 0,
    lastKeySeconds: 0,
    lastOfPartSeconds: 0,
    endSeconds: 0,
    steadySeconds: 0,
  }
  readonly #first: number[] = []
  readonly #last: number[] = []
  #before = Number.NaN

  constructor(private readonly partEndSeconds = Number.POSITIVE_INFINITY) {}

  see(packet: Map<string, string>): void {
    const seen = this.#seen
    seen.stored++
    const decodedAt = Number(packet.get('dts_time'))
    const step = decodedAt - this.#before
    if (step > 0 && step < jumpSeconds) seen.steadySeconds += step
    if (Number.isFinite(decodedAt)) this.#before = decodedAt
    const flags = packet.get('flags') ?? ''
    if (flags.includes('D')) return
    seen.shown++
    // AVI knows no times of pictures, only the order they are decoded in; raw streams know neither.
    const seconds = [packet.get('pts_time'), packet.get('dts_time')].map(Number).find(Number.isFinite)
    if (seconds === undefined) return
    seen.firstSeconds = Math.min(seen.firstSeconds, seconds)
    seen.lastSeconds = Math.max(seen.lastSeconds, seconds)
    if (seconds < this.partEndSeconds) {
      seen.lastOfPartSeconds = Math.max(seen.lastOfPartSeconds, seconds)
    }
    if (flags.includes('K')) seen.lastKeySeconds = Math.max(seen.lastKeySeconds, seconds)
    seen.endSeconds = Math.max(seen.endSeconds, seconds + (Number(packet.get('duration_time')) || 0))
    if (this.#first.length < paceWindow) this.#first.push(seconds)
    this.#last.push(seconds)
    if (this.#last.length > paceWindow) this.#last.shift()
  }

  get pictures(): Pictures {
    const ascending = (a: number, b: number) => a - b
    const [a, , c] = this.#first.toSorted(ascending)
    const [x, , z] = this.#last.toSorted(ascending).slice(-3)
    const isKnown = a !== undefined && c !== undefined && x !== undefined && z !== undefined
    return { ...this.#seen, slowsDown: isKnown && z - x > 1.25 * (c - a) }
  }
}

/**
 * Reads every packet once: headers promise what need not be there.
 * @param partEndSeconds on the clock of the file
 * @returns by the index of the stream; none for one without packets
 */
async function readPackets(
  ffprobe: string,
  file: string,
  care: ToolCare,
  partEndSeconds?: number,
): Promise<Map<number, PacketReader>> {
  const entries = 'packet=stream_index,pts_time,dts_time,duration_time,flags'
  const shown = ['-show_entries', entries, '-of', 'compact=print_section=0']
  const readers = new Map<number, PacketReader>()
  const onLine = (line: string) => {
    const packet = new Map(line.split('|').map((entry) => entry.split('=', 2) as [string, string]))
    if (!packet.has('flags')) return true
    const index = Number(packet.get('stream_index'))
    const reader = readers.get(index) ?? new PacketReader(partEndSeconds)
    readers.set(index, reader)
    reader.see(packet)
    return true
  }
  await runProbe(ffprobe, [...shown, ...inputOptions(file)], { ...care, onLine })
  return readers
}

const probeOptions = ['-hide_banner', '-loglevel', 'error', ...allocationOptions]

export async function runProbe(ffprobe: string, options: string[], how: Parameters<typeof runTool>[3]) {
  const run = await runTool('ffprobe', ffprobe, [...probeOptions, ...options], how)
  if (run.exitCode === 0 && run.signal === null) return run
  throw failureOf(run)
}

type Format = z.output<typeof Output>['format']

function jumps({ format_name, duration }: Format, { steadySeconds }: Pictures): boolean {
  return withJumps.test(format_name) && duration > steadySeconds + jumpSeconds
}

/** Of a clock that jumps, ffprobe only sees the first and the last time; of others, a header may tell less than there is. */
function durationOf(format: Format, pictures: Pictures): number {
  const { firstSeconds, lastSeconds, steadySeconds } = pictures
  if (jumps(format, pictures)) return steadySeconds
  if (withJumps.test(format.format_name)) return format.duration
  return Math.max(format.duration, lastSeconds - Math.min(firstSeconds, lastSeconds))
}

/** Of all that is seen and heard: of a recording that announces no length, the sound may go on when no picture comes. */
function spanOf(format: Format, streams: Pictures[]): number {
  if (withJumps.test(format.format_name)) return 0
  const times = streams.filter(({ firstSeconds }) => Number.isFinite(firstSeconds))
  if (times.length === 0) return 0
  const first = Math.min(...times.map(({ firstSeconds }) => firstSeconds))
  return Math.max(...times.map(({ endSeconds }) => endSeconds)) - first
}

/** An edit list may show a part of what the index counts: FFmpeg reads no more than that, and tells how long it is. */
function missingOf(stream: Stream, { stored, endSeconds }: Pictures): number {
  const { nb_frames: counted, start_time, duration, avg_frame_rate } = stream
  if (duration > 0 && start_time + duration - endSeconds < tailSeconds) return 0
  const ofPart = Math.ceil(duration * ratio(avg_frame_rate))
  return Math.max(0, (ofPart > 0 ? Math.min(counted, ofPart) : counted) - stored)
}

/** In pictures a second: of a recording that tells no rate, `r_frame_rate` is that of its clock. @returns 0 for unknown */
function paceOf({ shown, firstSeconds, lastSeconds }: Pictures): number {
  const seconds = lastSeconds - firstSeconds
  return seconds > 0 ? (shown - 1) / seconds : 0
}

/** Where no times are known, or they jump, pictures are taken to be there to the end. */
function placesOf(pictures: Pictures, format: Format, partEndSeconds: number) {
  const { firstSeconds, lastSeconds, lastKeySeconds, lastOfPartSeconds, endSeconds } = pictures
  const from = (seconds: number) => Math.max(0, seconds - format.start_time)
  if (Number.isFinite(firstSeconds) && !jumps(format, pictures)) {
    return {
      lastSeconds: from(lastSeconds),
      endSeconds: from(endSeconds),
      lastKeySeconds: from(lastKeySeconds),
      lastOfPartSeconds: from(lastOfPartSeconds),
    }
  }
  const end = durationOf(format, pictures)
  return {
    lastSeconds: end,
    endSeconds: end,
    lastKeySeconds: end,
    lastOfPartSeconds: Math.min(partEndSeconds, end),
  }
}

/** The default stream of a kind, or its first; cover pictures are no video. */
function pick(streams: Stream[], type: string): Stream | undefined {
  const candidates = streams.filter(
    (stream) => stream.codec_type === type && stream.disposition?.attached_pic !== 1,
  )
  return candidates.find((stream) => stream.disposition?.default === 1) ?? candidates[0]
}

function audioTrack(stream: Stream | undefined): AudioTrack | undefined {
  if (stream === undefined || stream.codec_name === 'unknown' || stream.channels < 1) return undefined
  const { index, codec_name: codec, channels, sample_rate: sampleRate } = stream
  return { index, codec, channels, sampleRate, ...nameOf(stream) }
}

function nameOf({ tags = {} }: Stream): TrackName {
  const { language = 'und', title } = tags
  return {
    language: language === 'und' ? null : short(language),
    title: title === undefined ? null : short(title),
  }
}

/** Names go on to FFmpeg as options, which have a length that the system allows. */
function short(text: string): string {
  return text.slice(0, 200).toWellFormed()
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

function fraction(text = ''): { num: number; den: number } {
  const [, num = '0', den = '1'] = /^(\d+)\/([1-9]\d*)$/.exec(text) ?? []
  return { num: Number(num), den: Number(den) }
}

function invalid(message: string): JobError {
  return new JobError('invalid_media', message, { retry: false })
}
