/** What can be asked for beside what a video has: the form's choices, and the request that makes an output once more. */
import type { InferRequestType } from 'hono/client'
import { api, read } from '../../api.ts'

type AddOutputs = (typeof api.v1.videos)[':jobId']['outputs']['$post']
export type Addition = InferRequestType<AddOutputs>['json']

/** Of each format what it can hold, the usual codec first. */
export const formats = {
  mp4: { name: 'MP4 file', codecs: ['h264', 'hevc', 'vp9', 'av1'] },
  webm: { name: 'WebM file', codecs: ['vp9', 'av1'] },
  hls: { name: 'Size of the stream (HLS, DASH)', codecs: ['h264', 'hevc', 'vp9', 'av1'] },
} as const
export type FormatName = keyof typeof formats

export const codecNames = { h264: 'H.264', hevc: 'H.265', vp9: 'VP9', av1: 'AV1' } as const
export type CodecName = keyof typeof codecNames

const usualHeights = [4320, 2160, 1440, 1080, 720, 480, 360, 240, 144]

/** Of the smallest box of 16:9, lying or standing, that holds the picture: what the encoder's heights count. */
export function linesOf({ width, height }: { width: number; height: number }): number {
  return Math.floor(Math.max(Math.min(width, height), (Math.max(width, height) * 9) / 16))
}

/** No output is larger than its source: the usual sizes below it, and its own. */
export function heightsWithin(sourceLines: number): number[] {
  const largest = Math.max(16, sourceLines)
  return [...new Set([largest, ...usualHeights.filter((height) => height < largest)])]
}

export async function addOutputs(jobId: string, json: Addition): Promise<{ jobId: string }> {
  return await read(api.v1.videos[':jobId'].outputs.$post({ param: { jobId }, json }))
}

const words = ['outputs', 'quality', 'poster', 'thumbnails', 'storyboard', 'trim', 'loudness', 'subtitles']
const rung = /^video-(h264|hevc|vp9|av1)-(\d+)p\.mp4$/
const usual = /^(720p|1080p|4k)\.mp4$/
const file = /^(h264|hevc|vp9|av1)-(\d+)p\.(mp4|webm)$/

/** What makes this one output anew, under the same name; null where nothing does. */
export function requestFor(name: string): Addition | null {
  const [, rungCodec, rungHeight] = rung.exec(name) ?? []
  if (rungHeight !== undefined) {
    return { outputs: [{ format: 'hls', codec: rungCodec as CodecName, height: Number(rungHeight) }] }
  }
  const [, codec, height, format] = file.exec(name) ?? []
  if (height !== undefined) {
    const sized = { format: format as 'mp4' | 'webm', codec: codec as CodecName, height: Number(height) }
    return { outputs: [sized] }
  }
  const [, quality] = usual.exec(name) ?? []
  return quality === undefined
    ? null
    : { outputs: [{ format: 'mp4' }], quality: quality as NonNullable<Addition['quality']> }
}

/**
 * The same once more: of the parameters of an addition's job, what was asked for in it, cut and loudness as they were. Its
 * watermark is known there by its place in the storage, which no request may name: that of the video is taken.
 */
export function requestIn(params: Record<string, unknown>): Addition {
  const asked = words.filter((name) => params[name] !== undefined)
  return Object.fromEntries(asked.map((name) => [name, params[name]]))
}
