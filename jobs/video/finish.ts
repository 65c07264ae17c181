/** From what FFmpeg wrote to outputs: each is packaged where it is streamed, probed, checked and described. */
import { join } from 'node:path'
import type { JsonObject } from '../../core/job.ts'
import type { ToolCare } from './ffmpeg.ts'
import { packageTrack, type Track, writePlaylist } from './package.ts'
import { takePoster } from './pictures.ts'
import type { EncodePlan, Target } from './plan.ts'
import { probe, probeSound } from './probe.ts'
import { verifyFile, verifyRendition, verifySound } from './verify.ts'

export interface FinishedOutput {
  kind: 'video' | 'rendition' | 'audio' | 'poster'
  /** The last part of its object's key. */
  name: string
  path: string
  contentType: string
  /** A media playlist that names its segments. */
  playlist?: { name: string; path: string }
  track?: Track
  about: JsonObject & { filename: string; durationSeconds: number }
}

export interface FinishBench {
  /** Where FFmpeg wrote. */
  directory: string
  /** Where what is made of it goes. */
  finished: string
  tools: { ffmpeg: string; ffprobe: string }
  care: ToolCare
  /** The client's name of the source. */
  filename: string
}

/** @throws JobError output_invalid */
export async function finishTarget(
  target: Target,
  frameCount: number,
  bench: FinishBench,
): Promise<FinishedOutput> {
  switch (target.kind) {
    case 'file':
      return await finishFile(target, frameCount, bench)
    case 'rendition':
      return await finishRendition(target, bench)
    case 'sound':
      return await finishSound(target, bench)
  }
}

async function finishFile(
  target: Extract<Target, { kind: 'file' }>,
  frameCount: number,
  bench: FinishBench,
): Promise<FinishedOutput> {
  const { name, format } = target
  const path = join(bench.directory, name)
  const seen = await probe(bench.tools.ffprobe, path, bench.care)
  verifyFile(seen, target, frameCount)
  return {
    kind: 'video',
    name,
    path,
    contentType: `video/${format}`,
    about: {
      filename: named(bench.filename, name),
      format,
      width: seen.video.width,
      height: seen.video.height,
      codec: seen.video.codec,
      audioCodec: seen.audio?.codec ?? null,
      bitrate: seen.bitrate,
      durationSeconds: seen.durationSeconds,
      frameCount,
    },
  }
}

async function finishRendition(
  target: Extract<Target, { kind: 'rendition' }>,
  bench: FinishBench,
): Promise<FinishedOutput> {
  const { track, ...stored } = await packaged(target.name, bench)
  const seen = await probe(bench.tools.ffprobe, stored.path, bench.care)
  verifyRendition(seen, target, track)
  const { codec, frameRate } = target.video
  return {
    kind: 'rendition',
    ...stored,
    contentType: 'video/mp4',
    track,
    about: {
      filename: named(bench.filename, target.name),
      width: seen.video.width,
      height: seen.video.height,
      codec,
      frameRate: frameRate === null ? seen.video.frameRate : frameRate.num / frameRate.den,
      frameCount: track.sampleCount,
      ...describeTrack(track),
    },
  }
}

async function finishSound(
  target: Extract<Target, { kind: 'sound' }>,
  bench: FinishBench,
): Promise<FinishedOutput> {
  const { track, ...stored } = await packaged(target.name, bench)
  const seen = await probeSound(bench.tools.ffprobe, stored.path, bench.care)
  verifySound(target.name, seen, target.audio)
  return {
    kind: 'audio',
    ...stored,
    contentType: 'audio/mp4',
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

async function packaged(name: string, { directory, finished }: FinishBench) {
  const path = join(finished, name)
  const track = await packageTrack(join(directory, name), path)
  const playlist = name.replace(/\.mp4$/, '.m3u8')
  await writePlaylist(join(finished, playlist), name, track)
  return { name, path, track, playlist: { name: playlist, path: join(finished, playlist) } }
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

/** @param videos finished ones, the largest of which it is taken from */
export async function finishPoster(
  { atSeconds }: NonNullable<EncodePlan['poster']>,
  videos: FinishedOutput[],
  { finished, tools, care, filename }: FinishBench,
): Promise<FinishedOutput> {
  const pixels = ({ about }: FinishedOutput) => Number(about.width) * Number(about.height)
  const [largest] = videos.toSorted((a, b) => pixels(b) - pixels(a))
  if (largest === undefined) throw new Error('there is no video to take a poster from')
  const name = 'poster.jpg'
  const path = join(finished, name)
  const { width, height, durationSeconds } = largest.about
  await takePoster(tools.ffmpeg, { file: largest.path, durationSeconds }, { atSeconds, to: path }, care)
  return {
    kind: 'poster',
    name,
    path,
    contentType: 'image/jpeg',
    about: { filename: named(filename, name), width: width ?? null, height: height ?? null, durationSeconds },
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
