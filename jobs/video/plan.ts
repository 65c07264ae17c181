/**
 * What is encoded, from what the source is and what was asked for. Pure, and plain data: each target can be encoded by
 * itself, and what is made of it later is in the plan too.
 *
 * A file (MP4, WebM) keeps the times of the source's frames. What is streamed (HLS, DASH) is cut: its sizes share one
 * constant frame rate and closed groups of pictures of the same frames, so that a player changes between them at any
 * segment; each size and each sound is a target of its own.
 */
import { type AudioCodec, type Channels, isStream, type VideoCodec } from '../../core/encode/options.ts'
import type { EncodeWish, WantedAudio, WantedOutput, Watermark } from '../../core/encode/wish.ts'
import { JobError } from '../../core/job.ts'
import { fileBitrate, ladderOf, qualityBounds, streamBitrate } from './ladder.ts'
import type { AudioTrack, Media } from './probe.ts'
import { canSeek, type Trim } from './trim.ts'

/** Of what is streamed: players and networks gain nothing beyond. */
const maxFrameRate = 60
const commonFrameRates = [
  { num: 24_000, den: 1001 },
  { num: 24, den: 1 },
  { num: 25, den: 1 },
  { num: 30_000, den: 1001 },
  { num: 30, den: 1 },
  { num: 50, den: 1 },
  { num: 60_000, den: 1001 },
  { num: 60, den: 1 },
]

/** Between key frames, in seconds: what a player seeks to, and what segments are made of. */
export const groupSeconds = 2

export interface Fraction {
  num: number
  den: number
}

export interface VideoPlan {
  codec: VideoCodec
  /** Of the upright picture with square pixels; even, and never more than the source's. */
  width: number
  height: number
  /** Constant quality, bounded by `maxBitrate`; null: the encoder's usual one. */
  crf: number | null
  /** Bits per second on average, in place of a constant quality. */
  bitrate: number | null
  maxBitrate: number
  /** Null: frames keep their own times. */
  frameRate: Fraction | null
  /** Pictures a second, on average, of frames whose own times fit no rate; null: they fit the one that FFmpeg finds. */
  pace: number | null
  bFrames: boolean
}

export interface AudioPlan {
  stream: number
  codec: AudioCodec
  bitrate: number
  channels: Channels
  sampleRate: number
  language: string | null
  title: string | null
}

/** What FFmpeg writes into one file. `name` is unique in the plan, and the last part of the object's key. */
export type Target =
  | {
      kind: 'file'
      name: string
      format: 'mp4' | 'webm'
      video: VideoPlan
      audio: AudioPlan | null
      /** For viewers to choose instead. */
      moreAudio: AudioPlan[]
    }
  | { kind: 'rendition'; name: string; video: VideoPlan }
  | { kind: 'sound'; name: string; audio: AudioPlan; language: string | null; title: string | null }
  /** Only to take pictures from. */
  | { kind: 'draft'; name: string; video: VideoPlan }

/** In the order in which they stand in the file. */
export function soundsOf(
  target: Target | { kind: 'stem'; audio: AudioPlan; moreAudio: AudioPlan[] },
): AudioPlan[] {
  if (!('audio' in target) || target.audio === null) return []
  return [target.audio, ...('moreAudio' in target ? target.moreAudio : [])]
}

/** What the pictures of all targets go through. */
export interface PicturePlan {
  videoStream: number
  deinterlace: boolean
  /** The transfer function of HDR, to be brought down to what every screen shows; null: it is that already. */
  hdr: 'smpte2084' | 'arib-std-b67' | null
  /** Red, green and blue, for which a matrix is to be chosen. */
  isRgb: boolean
  /** The size that is announced, where others may come in the middle; null where they can't, or filters don't take them. */
  changingFrom: { width: number; height: number } | null
  watermark: Watermark | null
}

export interface EncodePlan {
  picture: PicturePlan
  /** The part of the source that is encoded; null: all of it. */
  trim: Trim | null
  /** Of what is encoded. */
  durationSeconds: number
  targets: Target[]
  /** Text subtitles of the source. */
  subtitles: SubtitlePlan[]
  /** LUFS that all sounds are brought to; null: as they are. */
  loudness: number | null
  poster: { atSeconds: number } | null
  thumbnails: { timesSeconds: number[]; width: number } | null
  storyboard: { intervalSeconds: number; width: number } | null
}

export interface SubtitlePlan {
  stream: number
  name: string
  language: string | null
  title: string | null
}

/** Pictures of a storyboard's sheet: ten times ten. */
export const sheetPictures = 100

/** Codecs of subtitles that are text; pictures of text can't be carried over. */
const textSubtitles = new Set(['subrip', 'ass', 'ssa', 'mov_text', 'webvtt', 'text'])

/** @throws JobError invalid_trim */
export function planEncode(media: Media, wish: EncodeWish): EncodePlan {
  const files = wish.outputs.filter(({ format }) => !isStream(format))
  const streams = wish.outputs.filter(({ format }) => isStream(format))
  const targets = [
    ...onceEach(files.map((output) => fileTarget(media, output, wish))),
    ...onceEach(renditions(media, streams, wish)),
    ...sounds(media, streams),
  ]
  const trim = wish.trim === null ? null : trimOf(media, wish.trim)
  const durationSeconds = trim === null ? media.durationSeconds : trim.end - trim.start
  const { endSeconds } = media.video
  const pictureSeconds = trim === null ? endSeconds : Math.min(trim.end, endSeconds) - trim.start
  return {
    picture: {
      videoStream: media.video.index,
      deinterlace: media.video.interlaced,
      hdr: hdrOf(media.video),
      isRgb: media.video.isRgb,
      changingFrom: changingFrom(media),
      watermark: wish.watermark,
    },
    ...{ trim, durationSeconds },
    targets: targets.some((target) => 'video' in target) ? targets : [draft(media), ...targets],
    subtitles: wish.subtitles ? subtitles(media) : [],
    loudness: wish.loudness,
    ...pictures(wish, pictureSeconds),
  }
}

function trimOf(
  { durationSeconds, container, video }: Media,
  { start, end }: NonNullable<EncodeWish['trim']>,
): Trim {
  if (start <= video.lastSeconds && start < durationSeconds) {
    return { start, end: Math.min(end ?? durationSeconds, durationSeconds), bySeeking: canSeek(container) }
  }
  const shown = video.endSeconds.toFixed(2)
  const message = `The part to encode begins at ${start} s, but the pictures of the video end at ${shown} s.`
  throw new JobError('invalid_trim', message, { retry: false })
}

function hdrOf({ colorTransfer }: Media['video']): PicturePlan['hdr'] {
  return colorTransfer === 'smpte2084' || colorTransfer === 'arib-std-b67' ? colorTransfer : null
}

/**
 * Of recordings of calls and of windows. Deinterlacing and turning take one size, and so does what pixels that are no
 * squares ask for.
 */
function changingFrom({ container, video }: Media): PicturePlan['changingFrom'] {
  const { width, height, rotation, interlaced, sampleAspectRatio } = video
  const mayChange = /\b(matroska|webm|mpegts|flv)\b/.test(container)
  return mayChange && rotation === 0 && !interlaced && sampleAspectRatio === 1 ? { width, height } : null
}

function pictures({ poster, thumbnails, storyboard }: EncodeWish, durationSeconds: number) {
  return {
    poster: poster === null ? null : { atSeconds: poster.atSeconds ?? durationSeconds / 10 },
    thumbnails:
      thumbnails === null
        ? null
        : { width: thumbnails.width, timesSeconds: spread(thumbnails.count, durationSeconds) },
    storyboard:
      storyboard === null
        ? null
        : {
            width: storyboard.width,
            intervalSeconds:
              storyboard.intervalSeconds ??
              Math.max(groupSeconds, Math.ceil(durationSeconds / sheetPictures)),
          },
  }
}

/** The middles of so many equal parts. */
function spread(count: number, durationSeconds: number): number[] {
  return Array.from({ length: count }, (_, index) => ((index + 0.5) * durationSeconds) / count)
}

function subtitles(media: Media): SubtitlePlan[] {
  return media.subtitles
    .filter(({ codec }) => textSubtitles.has(codec))
    .map(({ index, language, title }, number) => ({
      stream: index,
      name: `subtitles-${number + 1}.vtt`,
      ...{ language, title },
    }))
}

/** Where nothing but pictures is wanted: they are taken from what was encoded. */
function draft(media: Media): Target {
  const height = qualityBounds['1080p'].height
  return {
    kind: 'draft',
    name: 'draft.mp4',
    video: {
      ...sizeOf(media, height),
      ...{ codec: 'h264', crf: null, bitrate: null, maxBitrate: fileBitrate(height, 'h264') },
      ...ownTimes(media.video, 'h264'),
      bFrames: !media.video.slowsDown,
    },
  }
}

/** Of a small source, several requests may come to the same size. */
function onceEach(targets: Target[]): Target[] {
  return [...new Map(targets.map((target) => [target.name, target])).values()]
}

function fileTarget(media: Media, output: WantedOutput, { quality }: EncodeWish): Target {
  const { codec, crf, bitrate } = output
  const height = output.height ?? qualityBounds[quality].height
  const format = output.format === 'webm' ? 'webm' : 'mp4'
  const isUsual = output.height === null && format === 'mp4' && codec === 'h264'
  return {
    kind: 'file',
    name: `${isUsual ? quality : `${codec}-${Math.min(height, linesOf(media))}p`}.${format}`,
    format,
    video: {
      ...sizeOf(media, height),
      ...{ codec, crf, bitrate },
      maxBitrate: fileBitrate(height, codec),
      ...ownTimes(media.video, codec),
      bFrames: !media.video.slowsDown,
    },
    ...fileSounds(media, output.audio),
  }
}

function fileSounds(media: Media, wanted: WantedAudio | null) {
  if (wanted === null) return { audio: null, moreAudio: [] }
  const [audio = null, ...more] = tracksOf(media).map((track) => audioPlan(track, wanted))
  return { audio, moreAudio: wanted.tracks === 'all' ? more : [] }
}

/** The default one first. */
function tracksOf({ audio, audioTracks }: Media): AudioTrack[] {
  return audio === null ? [] : [audio, ...audioTracks.filter(({ index }) => index !== audio.index)]
}

function renditions(media: Media, streams: WantedOutput[], wish: EncodeWish): Target[] {
  const lines = linesOf(media)
  const frameRate = constantFrameRate(media.video)
  return streams.flatMap(({ codec, crf, bitrate, ladder, height: wanted }) => {
    const heights = ladder
      ? ladderOf(lines, qualityBounds[wish.quality].height)
      : [Math.min(lines, wanted ?? lines)]
    return heights.map((height) => {
      const maxBitrate = streamBitrate(height, perSecond(frameRate), codec)
      const video = {
        ...sizeOf(media, height),
        codec,
        crf,
        bitrate,
        maxBitrate,
        frameRate,
        pace: null,
        bFrames: true,
      }
      return { kind: 'rendition' as const, name: `video-${codec}-${height}p.mp4`, video }
    })
  })
}

/**
 * All tracks of the source, for viewers to choose from, in each codec that a request names. All sizes share them: where
 * requests differ, the one for the most channels counts.
 */
function sounds(media: Media, streams: WantedOutput[]): Target[] {
  const requests = streams.flatMap(({ audio }) => (audio === null ? [] : [audio]))
  const wanted = new Map(
    requests.toSorted((a, b) => a.channels - b.channels).map((audio) => [audio.codec, audio]),
  )
  return [...wanted.values()].flatMap((audio) =>
    tracksOf(media).map((track, index) => ({
      kind: 'sound' as const,
      name: `audio-${audio.codec}-${index + 1}.mp4`,
      audio: audioPlan(track, audio),
      language: track.language,
      title: track.title,
    })),
  )
}

function audioPlan(track: AudioTrack, { codec, bitrate, channels: wanted }: WantedAudio): AudioPlan {
  const channels = channelsOf(track, wanted)
  return {
    ...{ stream: track.index, codec, channels },
    bitrate: Math.min(bitrate ?? (channels > 2 ? 384_000 : 160_000), mostBitsOf[codec] * channels),
    sampleRate: codec === 'aac' && track.sampleRate === 44_100 ? 44_100 : 48_000,
    language: track.language,
    title: track.title,
  }
}

/** Per second and channel. libopus refuses more, other encoders take less by themselves. */
const mostBitsOf: Record<AudioCodec, number> = { aac: Number.POSITIVE_INFINITY, opus: 256_000 }

/** What is between stereo and 5.1 gets silent channels rather than losing some; every player knows these three. */
function channelsOf({ channels }: AudioTrack, wanted: Channels): Channels {
  if (channels === 1 || wanted === 1) return 1
  return channels > 2 ? wanted : 2
}

/**
 * Of a file. SVT refuses what it is told to be faster than this, and what FFmpeg tells it is the clock of a recording
 * whose header knows no rate.
 */
function ownTimes(video: Media['video'], codec: VideoCodec): Pick<VideoPlan, 'frameRate' | 'pace'> {
  if (video.frameRate === 0 || keepsToNominal(video)) return { frameRate: null, pace: null }
  if (codec === 'av1' && perSecond(video.nominalFrameRate) > fastestSvt) {
    return { frameRate: constantFrameRate(video), pace: null }
  }
  return { frameRate: null, pace: video.frameRate }
}

/** Pictures a second. */
const fastestSvt = 240

/** The nominal rate where frames keep to it, else the common one that is theirs but for jitter, else the next above. */
function constantFrameRate(video: Media['video']): Fraction {
  const { nominalFrameRate: nominal, frameRate } = video
  if (!keepsToNominal(video)) {
    const off = (rate: Fraction) => Math.abs(perSecond(rate) - frameRate) / frameRate
    const [nearest] = commonFrameRates.toSorted((a, b) => off(a) - off(b))
    if (nearest !== undefined && off(nearest) < 0.02) return nearest
    return commonFrameRates.find((rate) => perSecond(rate) > frameRate) ?? { num: maxFrameRate, den: 1 }
  }
  // Every second frame, or every third …, of what is faster.
  const den = nominal.den * Math.max(1, Math.ceil(perSecond(nominal) / (maxFrameRate + 0.1)))
  return { num: nominal.num, den }
}

function keepsToNominal({ nominalFrameRate: nominal, frameRate }: Media['video']): boolean {
  return nominal.num > 0 && Math.abs(perSecond(nominal) - frameRate) < 0.01 * frameRate
}

export function perSecond({ num, den }: Fraction): number {
  return num / den
}

/** Of the smallest box of 16:9, lying or standing, that holds the picture: what 720p and the like count. */
function linesOf({ video }: Media): number {
  const { width, height } = uprightSize(video)
  return Math.floor(Math.max(Math.min(width, height), (Math.max(width, height) * 9) / 16))
}

/** @param lines of the box, at most */
function sizeOf({ video }: Media, lines: number): { width: number; height: number } {
  const shown = uprightSize(video)
  const box = { long: Math.round((lines * 16) / 9), short: lines }
  return fitWithin(shown, box)
}

/** As it is shown: turned, and with square pixels (the wider side carries the stretch, so no line is lost). */
function uprightSize({ width, height, sampleAspectRatio, rotation }: Media['video']) {
  const shown =
    sampleAspectRatio >= 1
      ? { width: width * sampleAspectRatio, height }
      : { width, height: height / sampleAspectRatio }
  return Math.abs(rotation) % 180 === 90 ? { width: shown.height, height: shown.width } : shown
}

/** The largest even size of the same aspect within the box, which lies or stands as the picture does. */
function fitWithin(size: { width: number; height: number }, box: { long: number; short: number }) {
  const lies = size.width >= size.height
  const scale = Math.min(
    1,
    (lies ? box.long : box.short) / size.width,
    (lies ? box.short : box.long) / size.height,
  )
  return { width: even(size.width, scale), height: even(size.height, scale) }
}

/** The nearest even number that does not exceed the source; yuv420p has no odd sizes. */
function even(length: number, scale: number): number {
  const nearest = 2 * Math.round((length * scale) / 2)
  return Math.max(2, Math.min(nearest, 2 * Math.floor(Math.round(length) / 2)))
}
