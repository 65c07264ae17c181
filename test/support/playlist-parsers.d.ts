/** What the tests use of two parsers that players are made of, and that come without types. */

declare module 'm3u8-parser' {
  export interface ByteRange {
    offset: number
    length: number
  }

  export interface Manifest {
    version: number
    independentSegments?: boolean
    endList?: boolean
    playlistType?: string
    targetDuration?: number
    playlists: {
      uri: string
      attributes: { RESOLUTION?: { width: number; height: number } } & Record<string, unknown>
    }[]
    mediaGroups: Record<
      'AUDIO' | 'SUBTITLES',
      Record<string, Record<string, { language?: string; default: boolean; uri: string }>>
    >
    segments: {
      uri: string
      duration: number
      byterange: ByteRange
      map: { uri: string; byterange: ByteRange }
    }[]
  }

  export class Parser {
    manifest: Manifest
    push(text: string): void
    end(): void
  }
}

declare module 'mpd-parser' {
  interface Playlist {
    attributes: { CODECS: string; BANDWIDTH: number; RESOLUTION?: { width: number; height: number } }
    sidx: { resolvedUri: string; byterange: { offset: number; length: number } }
  }

  export function parse(
    text: string,
    options: { manifestUri: string },
  ): {
    duration: number
    playlists: Playlist[]
    mediaGroups: {
      AUDIO: Record<string, Record<string, { language: string; playlists: Playlist[] }>>
    }
  }
}
