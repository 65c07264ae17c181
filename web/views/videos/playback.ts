/**
 * The links by which a page plays a video. Each answer about its status brings fresh ones, and an element that is given
 * another link begins anew, so those that the page has stay with it until they are about to run out, or don't play.
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
 * @param worn a link that does not play any more
 */
export function keepLinks(
  known: VideoStatus | undefined,
  fresh: VideoStatus,
  worn: string | null,
): VideoStatus {
  if (known === undefined || !('playback' in fresh)) return fresh
  const answered = answeredPlayback(fresh)
  const { thumbnailUrls, ...single } = playbackOf(known)
  const expiry = expiryOf(String(answered.token))
  // By the server's clock alone: that of this machine may be hours off.
  const isOld = (url: string) =>
    expiry - expiryOf(tokenIn(url)) > longestUse * Number(answered.expiresInSeconds)
  const inUse = [...Object.values(single), ...thumbnailUrls].filter(
    (url) => url !== null && url !== worn && !isOld(url),
  )
  const keep = (value: unknown) =>
    inUse.find((url) => url !== null && pathOf(url) === pathOf(String(value))) ?? value
  const playback = Object.entries(answered).map(([name, value]) => [
    name,
    Array.isArray(value) ? value.map(keep) : keep(value),
  ])
  return Object.assign({}, fresh, { playback: Object.fromEntries(playback) })
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
