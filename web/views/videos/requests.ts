/** What can be asked for beside what a video has: the form's choices, and the request that makes an output once more. */
import type { InferRequestType } from 'hono/client'
import { api, read } from '../../api.ts'

type AddOutputs = (typeof api.v1.videos)[':jobId']['outputs']['$post']
export type Addition = InferRequestType<AddOutputs>['json']
export type OutputRequest = NonNullable<Addition['outputs']>[number]

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

/** No output is larger than its source: the usual sizes below it, and its own. */
export function heightsWithin(sourceHeight: number): number[] {
  const largest = Math.max(16, sourceHeight)
  return [...new Set([largest, ...usualHeights.filter((height) => height < largest)])]
}

export async function addOutputs(jobId: string, json: Addition): Promise<{ jobId: string }> {
  return await read(api.v1.videos[':jobId'].outputs.$post({ param: { jobId }, json }))
}

const rung = /^video-(h264|hevc|vp9|av1)-(\d+)p\.mp4$/
const file = /^(h264|hevc|vp9|av1)-(\d+)p\.(mp4|webm)$/

/** What makes this one output anew, under the same name; null where nothing does. */
export function requestFor(name: string): OutputRequest | null {
  const [, rungCodec, rungHeight] = rung.exec(name) ?? []
  if (rungHeight !== undefined) {
    return { format: 'hls', codec: rungCodec as CodecName, height: Number(rungHeight) }
  }
  const [, codec, height, format] = file.exec(name) ?? []
  if (height !== undefined) {
    return { format: format as 'mp4' | 'webm', codec: codec as CodecName, height: Number(height) }
  }
  return name === '1080p.mp4' ? { format: 'mp4' } : null
}

/** The same once more: of the parameters of an addition's job, what was asked for in it. */
export function requestIn(params: Record<string, unknown>): Addition {
  const asked = ['outputs', 'poster', 'thumbnails', 'storyboard'].filter((name) => params[name] !== undefined)
  return Object.fromEntries(asked.map((name) => [name, params[name]]))
}
