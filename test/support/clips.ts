/** Small clips, made with the FFmpeg at hand, and what a video is as ffprobe and its bytes show it. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, inject } from 'vitest'
import { z } from 'zod'
import { findFfmpeg } from '../../core/ffmpeg-binaries.ts'

export interface Recipe {
  /** With the extension that chooses the container. */
  name: string
  /** A source of FFmpeg's `lavfi`; a moving test picture of `size` when left out. */
  picture?: string
  size?: string
  framesPerSecond?: number
  seconds?: number
  sound?: boolean
  /** Codecs and what else FFmpeg is told; H.264 and AAC when left out. */
  options?: string[]
}

export interface Seen {
  durationSeconds: number
  video: {
    codec: string
    pixelFormat: string
    width: number
    height: number
    sampleAspectRatio: string
    framesPerSecond: number
    /** Decoded, not announced. */
    frameCount: number
    /** From the first frame to the end of the last. */
    durationSeconds: number
  }
  audio: { codec: string; channels: number } | null
}

export interface Clips {
  directory: string
  /** @returns the path of the clip */
  make(recipe: Recipe): Promise<string>
  /** An FFmpeg that takes as long for a clip as it plays, on any machine: to be met at work. Told to hurry, it does with the next. */
  slowFfmpeg(): Promise<{ path: string; hurry(): Promise<void>; dawdle(): Promise<void> }>
  /** Writes bytes beside the clips. */
  write(name: string, bytes: Uint8Array | string): Promise<string>
}

/** Those that the processes of the tests find, too. */
export const testTools = findFfmpeg({
  ffmpegPath: process.env.FFMPEG_PATH,
  ffprobePath: process.env.FFPROBE_PATH,
  searchPath: process.env.PATH,
})
const { ffmpeg, ffprobe } = testTools

/** In a directory of the test file's own, gone when the file is through. */
export async function testClips(): Promise<Clips> {
  const directory = await mkdtemp(join(inject('backend').directory, 'clips-'))
  afterAll(() => rm(directory, { recursive: true, force: true }))
  return {
    directory,
    make: async (recipe) => {
      const path = join(directory, recipe.name)
      await run(ffmpeg, ['-v', 'error', '-y', ...inputs(recipe), ...(recipe.options ?? h264), path])
      return path
    },
    slowFfmpeg: async () => {
      const path = join(directory, 'slow-ffmpeg')
      const hurries = join(directory, 'ffmpeg-hurries')
      const pace = `[ -e ${JSON.stringify(hurries)} ] || set -- -re "$@"`
      await writeFile(path, `#!/bin/sh\n${pace}\nexec ${JSON.stringify(ffmpeg)} "$@"\n`, { mode: 0o755 })
      return { path, hurry: () => writeFile(hurries, ''), dawdle: () => rm(hurries, { force: true }) }
    },
    write: async (name, bytes) => {
      const path = join(directory, name)
      await writeFile(path, bytes)
      return path
    },
  }
}

/** Fast to make: the clips are what is encoded, not what is judged. */
export const h264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-c:a', 'aac']

function inputs({ picture, size = '320x180', framesPerSecond = 25, seconds = 2, sound = true }: Recipe) {
  const source = picture ?? `testsrc2=size=${size}:rate=${framesPerSecond}:duration=${seconds}`
  const tone = `sine=frequency=440:sample_rate=48000:duration=${seconds}`
  return ['-f', 'lavfi', '-i', source, ...(sound ? ['-f', 'lavfi', '-i', tone] : [])]
}

const Probe = z.object({
  format: z.object({ duration: z.coerce.number().catch(Number.NaN) }),
  streams: z.array(
    z.object({
      codec_type: z.string(),
      codec_name: z.string(),
      pix_fmt: z.string().default(''),
      width: z.int().default(0),
      height: z.int().default(0),
      sample_aspect_ratio: z.string().default('1:1'),
      r_frame_rate: z.string(),
      nb_read_frames: z.coerce.number().default(0),
      channels: z.int().default(0),
    }),
  ),
  packets: z.array(
    z.object({ codec_type: z.string(), pts_time: z.string().optional(), dts_time: z.string().optional() }),
  ),
})

export async function inspect(path: string): Promise<Seen> {
  const shown = ['-count_frames', '-show_format', '-show_streams', '-show_packets', '-of', 'json']
  const probed = Probe.parse(JSON.parse((await run(ffprobe, ['-v', 'error', ...shown, path])).toString()))
  const video = probed.streams.find(({ codec_type }) => codec_type === 'video')
  const audio = probed.streams.find(({ codec_type }) => codec_type === 'audio')
  if (video === undefined) throw new Error(`${path} has no video`)
  const times = probed.packets
    .filter(({ codec_type }) => codec_type === 'video')
    // AVI knows only the order of its packets, no times of pictures.
    .map(({ pts_time, dts_time }) => Number(pts_time ?? dts_time))
  const [over = 0, under = 1] = video.r_frame_rate.split('/').map(Number)
  return {
    durationSeconds: probed.format.duration,
    video: {
      codec: video.codec_name,
      pixelFormat: video.pix_fmt,
      width: video.width,
      height: video.height,
      sampleAspectRatio: video.sample_aspect_ratio,
      framesPerSecond: over / under,
      frameCount: video.nb_read_frames,
      durationSeconds: Math.max(...times) - Math.min(...times) + under / over,
    },
    audio: audio === undefined ? null : { codec: audio.codec_name, channels: audio.channels },
  }
}

/** Red, green and blue (0 to 255) of a place in the first picture, as a player shows it. */
export async function colourAt(path: string, x: number, y: number): Promise<[number, number, number]> {
  const { video } = await inspect(path)
  const frame = await run(ffmpeg, [
    ...['-v', 'error', '-i', path, '-frames:v', '1'],
    ...['-f', 'rawvideo', '-pix_fmt', 'rgb24', 'pipe:1'],
  ])
  const at = 3 * (y * video.width + x)
  return [frame[at] ?? 0, frame[at + 1] ?? 0, frame[at + 2] ?? 0]
}

/** How bright the first pixel of each picture is, 0 to 255: clips whose pictures grow brighter tell which are there. */
export async function brightnessOf(path: string): Promise<number[]> {
  const { video } = await inspect(path)
  const pixels = await testFfmpeg([
    ...['-v', 'error', '-i', path, '-map', '0:v', '-vsync', 'passthrough'],
    ...['-f', 'rawvideo', '-pix_fmt', 'gray', 'pipe:1'],
  ])
  return Array.from(
    { length: video.frameCount },
    (_, frame) => pixels[frame * video.width * video.height] ?? -1,
  )
}

export interface Box {
  type: string
  offset: number
  sizeBytes: number
}

/** The boxes of an ISO base media file (ISO/IEC 14496-12, 4.2) between two places, one level deep. */
export function boxes(bytes: Uint8Array, from = 0, to = bytes.length): Box[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const found: Box[] = []
  for (let offset = from; offset + 8 <= to; ) {
    const size = view.getUint32(offset)
    const type = new TextDecoder('latin1').decode(bytes.subarray(offset + 4, offset + 8))
    // 1: the size follows in 64 bits; 0: the box reaches to the end.
    const sizeBytes = size === 1 ? Number(view.getBigUint64(offset + 8)) : size === 0 ? to - offset : size
    found.push({ type, offset, sizeBytes })
    if (sizeBytes < 8) break
    offset += sizeBytes
  }
  return found
}

/**
 * Writes into a QuickTime or MP4 file that its picture is to be turned clockwise, as phones do: by the matrix of
 * the track header (ISO/IEC 14496-12, 8.3.2). FFmpeg's own option for it changed its name twice.
 */
export async function turn(path: string, degrees: 90 | 180 | 270): Promise<void> {
  const bytes = await readFile(path)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const matrixAt = 48
  const tkhd = inside(bytes, ['moov', 'trak', 'tkhd'])
  const width = view.getUint32(tkhd.offset + 84)
  const height = view.getUint32(tkhd.offset + 88)
  const one = 0x1_0000
  const cosine = { 90: 0, 180: -one, 270: 0 }[degrees]
  const sine = { 90: one, 180: 0, 270: -one }[degrees]
  const x = { 90: height, 180: width, 270: 0 }[degrees]
  const y = { 90: 0, 180: height, 270: width }[degrees]
  for (const [index, value] of [cosine, sine, 0, -sine, cosine, 0, x, y, 0x4000_0000].entries()) {
    view.setInt32(tkhd.offset + matrixAt + 4 * index, value)
  }
  await writeFile(path, bytes)
}

/** The first box at the end of a path of types. */
function inside(bytes: Uint8Array, path: string[]): Box {
  let box: Box = { type: '', offset: -8, sizeBytes: bytes.length + 8 }
  for (const type of path) {
    const child = boxes(bytes, box.offset + 8, box.offset + box.sizeBytes).find((each) => each.type === type)
    if (child === undefined) throw new Error(`no box ${type} in ${box.type || 'the file'}`)
    box = child
  }
  return box
}

/** The head of a `free` box: whatever fills its `sizeBytes` is skipped by every reader. */
export function freeBox(sizeBytes: number): Uint8Array {
  const head = new Uint8Array(8)
  new DataView(head.buffer).setUint32(0, sizeBytes)
  head.set(new TextEncoder().encode('free'), 4)
  return head
}

/** What the FFmpeg at hand writes to its standard output. */
export async function testFfmpeg(options: string[]): Promise<Buffer> {
  return await run(testTools.ffmpeg, options)
}

/** What the ffprobe at hand says. */
export async function testFfprobe(options: string[]): Promise<string> {
  return (await run(ffprobe, options)).toString()
}

/** Runs FFmpeg in a directory. */
export async function runFor(directory: string, options: string[]): Promise<void> {
  await run(ffmpeg, options, directory)
}

async function run(binary: string, options: string[], directory?: string): Promise<Buffer> {
  const child = Bun.spawn([binary, ...options], {
    ...(directory === undefined ? {} : { cwd: directory }),
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
    // Static builds crash in the C library's character set modules.
    env: { GCONV_PATH: '/nonexistent' },
  })
  const [output, errors] = await Promise.all([
    new Response(child.stdout).bytes(),
    new Response(child.stderr).text(),
  ])
  if ((await child.exited) !== 0) throw new Error(`${binary} ended with ${child.exitCode}: ${errors}`)
  return Buffer.from(output)
}
