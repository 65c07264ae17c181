/** What a player does with a stream: reads playlists, and loads heads and segments by their ranges. */
import { type ByteRange, type Manifest, Parser } from 'm3u8-parser'
import { expect } from 'vitest'
import { testFfprobe } from './clips.ts'

export async function readPlaylist(url: string): Promise<Manifest & { text: string }> {
  const response = await fetch(url)
  const text = await response.text()
  expect(response.status, text).toBe(200)
  expect(response.headers.get('content-type')).toBe('application/vnd.apple.mpegurl')
  const parser = new Parser()
  parser.push(text)
  parser.end()
  return { ...parser.manifest, text }
}

export async function readRange(url: string, { offset, length }: ByteRange): Promise<Uint8Array> {
  const response = await fetch(url, { headers: { range: `bytes=${offset}-${offset + length - 1}` } })
  expect(response.status).toBe(206)
  return await response.bytes()
}

export interface Packet {
  kind: 'video' | 'audio'
  seconds: number
  isKey: boolean
}

/** Packets of a file or of a playlist behind a URL, as FFmpeg's own player would meet them. */
export async function packetsOf(pathOrUrl: string): Promise<Packet[]> {
  const shown = ['-show_entries', 'packet=codec_type,pts_time,flags', '-of', 'csv=p=0']
  // FFmpeg judges segments by the ends of their names, and ours are links with a signature behind.
  const judged = pathOrUrl.includes('.m3u8') ? ['-allowed_extensions', 'ALL'] : []
  const output = await testFfprobe(['-v', 'error', ...judged, ...shown, pathOrUrl])
  return output
    .trim()
    .split('\n')
    .map((line) => {
      const [kind, seconds, flags] = line.split(',')
      return {
        kind: kind as Packet['kind'],
        seconds: Number(seconds),
        isKey: flags?.startsWith('K') === true,
      }
    })
}
