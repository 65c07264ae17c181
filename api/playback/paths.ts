/** Where players find a video: the paths for which a playback token is enough. */

export const playbackPaths = {
  playlist: 'playlist.m3u8',
  manifest: 'manifest.mpd',
  poster: 'poster',
  /** With its number behind it, from 1. */
  thumbnail: 'thumbnails',
  storyboard: 'storyboard.vtt',
  sheet: 'storyboard.jpg',
  /** With the name of an output behind it: its media playlist. */
  track: 'tracks',
  /** With the name of an output behind it: its bytes. */
  output: 'outputs',
} as const

const pattern = new RegExp(
  `^/v1/videos/([0-9a-f-]{36})/(?:${Object.values(playbackPaths).join('|').replaceAll('.', '\\.')})(?:/|$)`,
)

/** The video that a request plays; undefined when it does anything else. */
export function videoPlayedBy({ method, path }: { method: string; path: string }): string | undefined {
  return method === 'GET' || method === 'HEAD' ? pattern.exec(path)?.[1] : undefined
}

/** Below the API's own address, with the token that it needs there. */
export function playbackUrl(videoId: string, path: string, token: string): string {
  return `/v1/videos/${videoId}/${path}?token=${token}`
}
