/**
 * The links by which a page plays a video. Each answer about its status brings fresh ones, and an element that is given
 * another link begins anew, so those that the page has stay with it until they are about to run out, don't play, or lead
 * to what has been made again.
 */
import type { VideoStatus } from '../../types.ts'

/** Of the life of a link. In what remains it could run out before the status is read again. */
const longestUse = 0.9

/** Each with its token, so that it can stand in an element of the page. */
interface PlaybackLinks {
  /** Of a playlist. */
  hlsUrl: string | null
  posterUrl: string | null
  /** WebVTT. */
  storyboardUrl: string | null
  thumbnailUrls: string[]
}

export function playbackOf(video: VideoStatus): PlaybackLinks {
  const { hlsUrl, posterUrl, storyboardUrl, thumbnailUrls } = answeredPlayback(video)
  return {
    hlsUrl: textOf(hlsUrl),
    posterUrl: textOf(posterUrl),
    storyboardUrl: textOf(storyboardUrl),
    thumbnailUrls: Array.isArray(thumbnailUrls) ? thumbnailUrls.filter((url) => typeof url === 'string') : [],
  }
}

/**
 * The fresh status, with the links that are in use.
 * @param known what was shown before
 * @param given as it was answered now
 * @param worn a link that does not play any more
 */
export function keepLinks(
  known: VideoStatus | undefined,
  given: VideoStatus,
  worn: string | null,
): VideoStatus {
  if (known === undefined) return given
  const fresh = withMakers(known, given)
  if (!('playback' in fresh)) return fresh
  const answered = answeredPlayback(fresh)
  const { thumbnailUrls, ...single } = playbackOf(known)
  const expiry = expiryOf(String(answered.token))
  // By the server's clock alone: that of this machine may be hours off.
  const isOld = (url: string) =>
    expiry - expiryOf(tokenIn(url)) > longestUse * Number(answered.expiresInSeconds)
  const madeAgain = kindsMadeAgain(known, fresh)
  const isMadeAgain = (url: string) => {
    const [, kinds = []] = kindsBehind.find(([path]) => path.test(pathOf(url))) ?? []
    return kinds.some((kind) => madeAgain.has(kind))
  }
  const inUse = [...Object.values(single), ...thumbnailUrls].filter(
    (url) => url !== null && url !== worn && !isOld(url) && !isMadeAgain(url),
  )
  const keep = (value: unknown) =>
    inUse.find((url) => url !== null && pathOf(url) === pathOf(String(value))) ?? value
  const playback = Object.entries(answered).map(([name, value]) => [
    name,
    Array.isArray(value) ? value.map(keep) : keep(value),
  ])
  return Object.assign({}, fresh, { playback: Object.fromEntries(playback) })
}

/** Of the outputs that a link leads to. */
const kindsBehind: [path: RegExp, kinds: string[]][] = [
  [/\.m3u8$/, ['rendition', 'audio', 'subtitles']],
  [/\/poster$/, ['poster']],
  [/\/storyboard\.vtt$/, ['storyboard', 'sheet']],
  [/\/thumbnails\/\d+$/, ['thumbnail']],
]

/**
 * While a release takes the place of another, processes of the one before may answer too, and not tell who made an
 * output: that does not mean that it was made again.
 */
function withMakers(known: VideoStatus, given: VideoStatus): VideoStatus {
  const makers = makersOf(known)
  const outputs = answeredOutputs(given).map((output) =>
    typeof output.jobId === 'string' ? output : { ...output, jobId: makers.get(output.name) },
  )
  return outputs.length === 0 ? given : Object.assign({}, given, { outputs })
}

/** A new one takes nothing away from those before; one in the place of another does. */
function kindsMadeAgain(known: VideoStatus, fresh: VideoStatus): Set<string> {
  const [before, now] = [makersOf(known), makersOf(fresh)]
  const isMadeAgain = (name: unknown) =>
    before.has(name) && now.has(name) && before.get(name) !== now.get(name)
  const again = answeredOutputs(fresh).filter(({ name }) => isMadeAgain(name))
  return new Set(again.map(({ kind }) => String(kind)))
}

/** Of the outputs, by name: the encode that made each, where that is told. */
function makersOf(video: VideoStatus): Map<unknown, string> {
  return new Map(
    answeredOutputs(video).flatMap(({ name, jobId }): [unknown, string][] =>
      typeof jobId === 'string' ? [[name, jobId]] : [],
    ),
  )
}

export function answeredOutputs(video: VideoStatus): Record<string, unknown>[] {
  return 'outputs' in video && Array.isArray(video.outputs) ? video.outputs : []
}

/** What it is a link to, whatever its token. */
export function pathOf(url: string): string {
  return url.replace(/\?.*$/, '')
}

function answeredPlayback(video: VideoStatus): Record<string, unknown> {
  return 'playback' in video && video.playback !== undefined ? { ...video.playback } : {}
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}

function tokenIn(url: string): string {
  return new URLSearchParams(url.slice(pathOf(url).length)).get('token') ?? ''
}

/** In seconds since 1970: what a token begins with, up to its point. */
function expiryOf(token: string): number {
  return Number.parseInt(token, 36)
}
