/** Still pictures of a video. They are taken from what was encoded: upright, in its colours, and quick to decode. */
import { stat, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { JobError } from '../../core/job.ts'
import { runFfmpeg, type ToolCare } from './ffmpeg.ts'
import { inputOptions } from './input.ts'
import { onOurs } from './ours.ts'
import { sheetPictures } from './plan.ts'
import type { Media } from './probe.ts'
import { vttTime } from './subtitles.ts'

export interface PictureSource
  extends Pick<Media['video'], 'width' | 'height' | 'lastSeconds' | 'lastKeySeconds' | 'endSeconds'> {
  path: string
  startSeconds: number
}

interface Size {
  width: number
  height: number
}

/** FFmpeg's scale from 2 (best) to 31. */
const jpegQuality = ['-q:v', '3']

/** Seconds before the end from where on a storyboard begins no picture of its own. */
const lastMoment = 0.5

/** So much before a picture FFmpeg still finds it as the next one: its time may have been rounded up. */
const roundedSeconds = 0.001

const columns = 10

/**
 * As JPEG.
 * @returns its size and its time: that of the last picture where later was asked for
 * @throws JobError output_invalid, and as `runFfmpeg`
 */
export async function takePicture(
  ffmpeg: string,
  source: PictureSource,
  { atSeconds, width, to }: { atSeconds: number; width: number; to: string },
  care: ToolCare,
): Promise<Size & { atSeconds: number }> {
  const at = Math.max(0, Math.min(atSeconds, source.lastSeconds - roundedSeconds))
  const size = sizeFor(source, width)
  // biome-ignore format: options beside their values
  const options = [
    '-ss', at.toFixed(3),
    ...inputOptions(source.path),
    '-frames:v', '1', '-an', '-sn',
    '-vf', `scale=${size.width}:${size.height},setsar=1`,
    ...jpegQuality, '-f', 'mjpeg', to,
  ]
  await run(ffmpeg, options, care)
  await requirePicture(to)
  return { ...size, atSeconds: Math.min(atSeconds, source.lastSeconds) }
}

export interface Sheet extends Size {
  name: string
}

/**
 * Small pictures at equal intervals on sheets of a hundred, and a WebVTT file with a cue for each that names its sheet
 * and its place there (Media Fragments URI 1.0, 4.2.2).
 * @returns the sheets; their files and `storyboard.vtt` are in the directory
 * @throws JobError output_invalid, and as `runFfmpeg`
 */
export async function drawStoryboard(
  ffmpeg: string,
  source: PictureSource,
  { intervalSeconds, width, directory }: { intervalSeconds: number; width: number; directory: string },
  care: ToolCare,
): Promise<Sheet[]> {
  const picture = sizeFor(source, width)
  // It is key frames that are shown: none comes to fill a place behind the last of them.
  const filled = Math.floor(source.lastKeySeconds / intervalSeconds) + 1
  const count = Math.max(1, Math.min(filled, Math.ceil((source.endSeconds - lastMoment) / intervalSeconds)))
  const rows = Math.min(columns, Math.ceil(count / columns))
  const across = Math.min(columns, count)
  const sheets = Math.ceil(count / sheetPictures)
  const filters = [
    // The last key frame counts, however little comes after it.
    `fps=fps=1/${intervalSeconds}:start_time=0:eof_action=pass`,
    `scale=${picture.width}:${picture.height}`,
    'setsar=1',
    `tile=${across}x${rows}`,
  ]
  // biome-ignore format: options beside their values
  const options = [
    '-skip_frame', 'nokey', // there is one every two seconds, and they are decoded without all others
    ...inputOptions(source.path),
    '-frames:v', String(sheets), '-an', '-sn',
    '-vf', filters.join(','),
    ...jpegQuality, '-f', 'image2', join(directory, 'storyboard-%d.jpg'),
  ]
  await run(ffmpeg, options, care)
  const cues = Array.from({ length: count }, (_, index) => {
    const place = index % sheetPictures
    const x = (place % columns) * picture.width
    const y = Math.floor(place / columns) * picture.height
    const end = index + 1 < count ? (index + 1) * intervalSeconds : source.endSeconds
    const sheet = `storyboard-${Math.floor(index / sheetPictures) + 1}.jpg`
    const times = `${vttTime(index * intervalSeconds)} --> ${vttTime(end)}`
    return `${times}\n${sheet}#xywh=${x},${y},${picture.width},${picture.height}\n`
  })
  await writeFile(join(directory, 'storyboard.vtt'), ['WEBVTT\n', ...cues].join('\n'))
  const drawn = Array.from({ length: sheets }, (_, index) => ({
    name: `storyboard-${index + 1}.jpg`,
    width: across * picture.width,
    height: rows * picture.height,
  }))
  for (const { name } of drawn) await requirePicture(join(directory, name))
  return drawn
}

/** FFmpeg ends well without having found a picture. */
async function requirePicture(path: string): Promise<void> {
  const sizeBytes = await stat(path).then(
    ({ size }) => size,
    () => 0,
  )
  if (sizeBytes === 0) throw new JobError('output_invalid', `There is nothing in ${basename(path)}.`)
}

async function run(ffmpeg: string, options: string[], care: ToolCare): Promise<void> {
  await onOurs(runFfmpeg(ffmpeg, options, care))
}

/** Of the same aspect, never wider than the source; even, as JPEG's colours are. */
function sizeFor(source: PictureSource, width: number): Size {
  const wide = Math.min(width, source.width)
  const even = (length: number) => Math.max(2, 2 * Math.round(length / 2))
  return { width: even(wide), height: even((wide * source.height) / source.width) }
}
