/** Text subtitles of the source, as WebVTT: what HLS and DASH show, and what files are given. */
import { isUtf8 } from 'node:buffer'
import { readFile, writeFile } from 'node:fs/promises'
import { JobError } from '../../core/job.ts'
import { runFfmpeg, type ToolCare } from './ffmpeg.ts'
import { inputOptions } from './input.ts'
import type { SubtitlePlan } from './plan.ts'
import type { Trim } from './trim.ts'

/**
 * A track that can't be read is left out: a video without one of its subtitles is worth more than none.
 * @returns why the track is left out, null when it is there
 */
export async function extractSubtitles(
  ffmpeg: string,
  { input, to, track, trim }: { input: string; to: string; track: SubtitlePlan; trim: Trim | null },
  care: ToolCare,
): Promise<string | null> {
  const options = [
    '-sub_charenc_mode', 'ignore', // else it leaves out each cue that is not UTF-8, and ends well
    ...inputOptions(input),
    '-map', `0:${track.stream}`, '-c:s', 'webvtt', '-f', 'webvtt', to,
  ] // biome-ignore format: options beside their values
  try {
    await runFfmpeg(ffmpeg, options, care)
  } catch (error) {
    if (!(error instanceof JobError) || error.retry) throw error
    return error.message
  }
  const text = textOf(await readFile(to))
  await writeFile(to, trim === null ? text : trimCues(text, trim))
  return null
}

/** A line that is not UTF-8, as containers ask for, is taken for Windows-1252, which most others were written in. */
function textOf(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString()
  const western = new TextDecoder('windows-1252')
  const lines = bytes.toString('latin1').split('\n')
  return lines
    .map((line) => Buffer.from(line, 'latin1'))
    .map((line) => (isUtf8(line) ? line.toString() : western.decode(line)))
    .join('\n')
}

const timing = /^((?:\d+:)?\d\d:\d\d\.\d{3}) --> ((?:\d+:)?\d\d:\d\d\.\d{3})/

/** The cues of a WebVTT file that are shown in a part of the video, at their times in it. */
function trimCues(text: string, { start, end }: Trim): string {
  const [head = 'WEBVTT', ...blocks] = text.trimEnd().split(/\n{2,}/)
  const kept = blocks.flatMap((block) => {
    const lines = block.split('\n')
    const at = lines.findIndex((line) => timing.test(line))
    const [, from = '', to = ''] = timing.exec(lines[at] ?? '') ?? []
    // Notes and styles have no time.
    if (at < 0) return [block]
    const shown = [Math.max(seconds(from), start), Math.min(seconds(to), end)] as const
    if (shown[0] >= shown[1]) return []
    lines[at] = `${vttTime(shown[0] - start)} --> ${vttTime(shown[1] - start)}`
    return [lines.join('\n')]
  })
  return `${[head, ...kept].join('\n\n')}\n`
}

function seconds(time: string): number {
  return time.split(':').reduce((sum, part) => 60 * sum + Number(part), 0)
}

/** `00:01:02.500` */
export function vttTime(of: number): string {
  return new Date(Math.round(of * 1000)).toISOString().slice(11, 23)
}

/** A media playlist of one segment: a few kilobytes for a whole film. */
export async function writeSubtitlePlaylist(
  path: string,
  file: string,
  durationSeconds: number,
): Promise<void> {
  const lines = [
    '#EXTM3U',
    '#EXT-X-VERSION:7',
    `#EXT-X-TARGETDURATION:${Math.max(1, Math.ceil(durationSeconds))}`,
    '#EXT-X-PLAYLIST-TYPE:VOD',
    `#EXTINF:${durationSeconds.toFixed(6)},`,
    file,
    '#EXT-X-ENDLIST',
  ]
  await writeFile(path, `${lines.join('\n')}\n`)
}
