/** From what FFmpeg wrote to outputs: each is packaged where it is streamed, probed, checked and described. */
import { join } from 'node:path'
import type { JsonObject } from '../../core/job.ts'
import type { ToolCare } from './ffmpeg.ts'
import { onOurs } from './ours.ts'
import type { OutputUploads } from './output-uploads.ts'
import { EmptyTrack, packageTrack, type Track, writePlaylist } from './package.ts'
import { drawStoryboard, type PictureSource, takePicture } from './pictures.ts'
import { type EncodePlan, perSecond, type SubtitlePlan, type Target } from './plan.ts'
import { type Media, probe, probeSound } from './probe.ts'
import { writeSubtitlePlaylist } from './subtitles.ts'
import type { Trim } from './trim.ts'
import { verifyFile, verifyRendition, verifySound, withoutSound } from './verify.ts'

export interface FinishedOutput {
  kind:
    | 'draft'
    | 'video'
    | 'rendition'
    | 'audio'
    | 'subtitles'
    | 'poster'
    | 'thumbnail'
    | 'storyboard'
    | 'sheet'
  /** The last part of its object's key. */
  name: string
  path: string
  contentType: string
  /** A media playlist that names its segments. */
  playlist?: { name: string; path: string }
  track?: Track
  /** Of what others can be taken from. */
  picture?: Omit<PictureSource, 'path'>
  /** What clients are told of it. */
  about: JsonObject & { filename: string }
}

export interface FinishBench {
  /** Where FFmpeg wrote. */
  directory: string
  /** Where what is made of it goes. */
  finished: string
  uploads: Pick<OutputUploads, 'begin'>
  /** The part of the source that was encoded. */
  trim: Trim | null
  tools: { ffmpeg: string; ffprobe: string }
  care: ToolCare
  /** The client's name of the source. */
  filename: string
}

/**
 * @param frameCount of a file, as FFmpeg counted while it encoded; null: it did not
 * @throws JobError output_invalid, and `withoutSound`
 */
export async function finishTarget(
  target: Target,
  frameCount: number | null,
  bench: FinishBench,
): Promise<FinishedOutput> {
  switch (target.kind) {
    case 'draft':
    case 'file':
      return await finishFile(target, frameCount, bench)
    case 'rendition':
      return await finishRendition(target, bench)
    case 'sound':
      return await finishSound(target, bench)
  }
}

async function finishFile(
  target: Extract<Target, { kind: 'file' | 'draft' }>,
  frameCount: number | null,
  bench: FinishBench,
): Promise<FinishedOutput> {
  const { name } = target
  const format = target.kind === 'file' ? target.format : 'mp4'
  const path = join(bench.directory, name)
  const contentType = `video/${format}`
  if (target.kind === 'file') bench.uploads.begin(path, { name, contentType })
  const seen = await onOurs(probe(bench.tools.ffprobe, path, bench.care))
  verifyFile(seen, target, { frameCount: frameCount ?? seen.video.frameCount, trim: bench.trim })
  return {
    kind: target.kind === 'file' ? 'video' : 'draft',
    name,
    path,
    picture: pictureOf(seen),
    contentType,
    about: {
      filename: named(bench.filename, name),
      format,
      width: seen.video.width,
      height: seen.video.height,
      codec: seen.video.codec,
      audioCodec: seen.audio?.codec ?? null,
      audioTracks: seen.audioTracks.map(({ codec, channels, language, title }) => ({
        ...{ codec, channels, language, title },
      })),
      bitrate: seen.bitrate,
      durationSeconds: seen.durationSeconds,
      frameCount: seen.video.frameCount,
    },
  }
}

async function finishRendition(
  target: Extract<Target, { kind: 'rendition' }>,
  bench: FinishBench,
): Promise<FinishedOutput> {
  const { track, ...stored } = await packaged(target.name, 'video/mp4', bench)
  const seen = await onOurs(probe(bench.tools.ffprobe, stored.path, bench.care))
  verifyRendition(seen, target, track)
  const { codec, frameRate } = target.video
  return {
    kind: 'rendition',
    ...stored,
    track,
    picture: pictureOf(seen),
    about: {
      filename: named(bench.filename, target.name),
      width: seen.video.width,
      height: seen.video.height,
      codec,
      frameRate: frameRate === null ? seen.video.frameRate : perSecond(frameRate),
      frameCount: track.sampleCount,
      closedCaptions: track.hasCaptions,
      ...describeTrack(track),
    },
  }
}

async function finishSound(
  target: Extract<Target, { kind: 'sound' }>,
  bench: FinishBench,
): Promise<FinishedOutput> {
  const { track, ...stored } = await packaged(target.name, 'audio/mp4', bench).catch((error) => {
    throw error instanceof EmptyTrack ? withoutSound(bench.trim) : error
  })
  const seen = await onOurs(probeSound(bench.tools.ffprobe, stored.path, bench.care))
  verifySound(target.name, seen, target.audio)
  return {
    kind: 'audio',
    ...stored,
    track,
    about: {
      filename: named(bench.filename, target.name),
      codec: seen.codec,
      channels: seen.channels,
      sampleRate: seen.sampleRate,
      language: target.language,
      title: target.title,
      ...describeTrack(track),
    },
  }
}

function pictureOf({ startSeconds, video }: Media) {
  const { width, height, lastSeconds, lastKeySeconds, endSeconds } = video
  return { width, height, startSeconds, lastSeconds, lastKeySeconds, endSeconds }
}

async function packaged(name: string, contentType: string, { directory, finished, uploads }: FinishBench) {
  const path = join(finished, name)
  const track = await packageTrack(join(directory, name), path)
  uploads.begin(path, { name, contentType })
  const playlist = name.replace(/\.mp4$/, '.m3u8')
  await writePlaylist(join(finished, playlist), name, track)
  return { name, path, contentType, track, playlist: { name: playlist, path: join(finished, playlist) } }
}

function describeTrack({ codecs, headRange, indexRange, segments, ...track }: Track) {
  return {
    codecs,
    bitrate: track.averageBitrate,
    peakBitrate: track.peakBitrate,
    durationSeconds: track.durationSeconds,
    segmentCount: segments.length,
    headRange,
    indexRange,
  }
}

/** @param source the largest of what was encoded */
export async function finishPictures(
  { poster, thumbnails, storyboard }: EncodePlan,
  source: PictureSource,
  bench: FinishBench,
): Promise<FinishedOutput[]> {
  const { tools, care, finished } = bench
  const outputs: FinishedOutput[] = []
  const picture = async (kind: 'poster' | 'thumbnail', name: string, atSeconds: number, width: number) => {
    const path = join(finished, name)
    const taken = await takePicture(tools.ffmpeg, source, { atSeconds, width, to: path }, care)
    const about = { filename: named(bench.filename, name), ...taken }
    outputs.push({ kind, name, path, contentType: jpeg, about })
  }
  if (poster !== null) await picture('poster', 'poster.jpg', poster.atSeconds, source.width)
  for (const [index, atSeconds] of (thumbnails?.timesSeconds ?? []).entries()) {
    await picture('thumbnail', `thumbnail-${index + 1}.jpg`, atSeconds, thumbnails?.width ?? 0)
  }
  if (storyboard !== null) {
    const sheets = await drawStoryboard(tools.ffmpeg, source, { ...storyboard, directory: finished }, care)
    const output = (kind: 'storyboard' | 'sheet', name: string, contentType: string, size: JsonObject) => ({
      ...{ kind, name, contentType },
      path: join(finished, name),
      about: { filename: named(bench.filename, name), ...size },
    })
    outputs.push(output('storyboard', 'storyboard.vtt', vtt, { intervalSeconds: storyboard.intervalSeconds }))
    for (const { name, ...size } of sheets) outputs.push(output('sheet', name, jpeg, size))
  }
  return outputs
}

const jpeg = 'image/jpeg'
const vtt = 'text/vtt'

/** @param path where `extractSubtitles` wrote it */
export async function finishSubtitles(
  { name, language, title }: SubtitlePlan,
  path: string,
  durationSeconds: number,
  { finished, filename }: FinishBench,
): Promise<FinishedOutput> {
  const playlist = name.replace(/\.vtt$/, '.m3u8')
  await writeSubtitlePlaylist(join(finished, playlist), name, durationSeconds)
  return {
    ...{ kind: 'subtitles', name, path, contentType: vtt },
    playlist: { name: playlist, path: join(finished, playlist) },
    about: { filename: named(filename, name), language, title, durationSeconds },
  }
}

/** `720p.mp4` of `holiday.mov` is saved as `holiday-720p.mp4`. */
function named(clientName: string, name: string): string {
  const base =
    clientName
      .split(/[/\\]/)
      .at(-1)
      ?.replace(/\.[^.]{1,10}$/, '') || 'video'
  return `${base}-${name}`
}
