import { describe, expect, test } from 'vitest'
import { masterPlaylist } from '../../../../api/playback/master-playlist.ts'
import type { Output } from '../../../../api/playback/video.ts'

function sound(codec: string, number: number, language: string | null): Output {
  return {
    ...{
      key: 'k',
      filename: 'f',
      contentType: 'audio/mp4',
      kind: 'audio',
      name: `audio-${codec}-${number}.mp4`,
    },
    ...{
      codec,
      codecs: codec,
      channels: 2,
      sampleRate: 48_000,
      language,
      title: null,
      bitrate: 1,
      peakBitrate: 1,
    },
    ...{ durationSeconds: 2, headRange: [0, 700], indexRange: [700, 800], playlistKey: 'p' },
  }
}

/** RFC 8216, 4.3.4.1.1: groups that hold the same renditions give them the same names; within a group each is unique. */
test('the same sounds have the same names in every group, and the first of each group is its default', () => {
  const sounds = ['aac', 'opus'].flatMap((codec) => [
    sound(codec, 1, 'eng'),
    sound(codec, 2, 'ger'),
    sound(codec, 3, 'ger'),
    sound(codec, 4, null),
  ])
  const lines = masterPlaylist(sounds, (name) => name).split('\n')
  const shown = (codec: string) =>
    lines
      .filter((line) => line.includes(`GROUP-ID="${codec}"`))
      .map((line) => /NAME="([^"]*)".*DEFAULT=(\w+)/.exec(line)?.slice(1).join(' '))
  expect(shown('aac')).toEqual(['English YES', 'German NO', 'German (3) NO', 'Audio 4 NO'])
  expect(shown('opus')).toEqual(shown('aac'))
})

function rendition(codec: string, closedCaptions?: boolean): Output {
  return {
    ...{ key: 'k', filename: 'f', contentType: 'video/mp4' },
    ...{ kind: 'rendition', name: `video-${codec}-90p.mp4` },
    ...{ codec, codecs: codec, width: 160, height: 90, frameRate: 25, closedCaptions },
    ...{ bitrate: 1, peakBitrate: 1, durationSeconds: 2, headRange: [0, 700], indexRange: [700, 800] },
    playlistKey: 'p',
  }
}

/** RFC 8216, 4.3.4.2: NONE stands at all sizes or at none. */
describe('closed captions', () => {
  const captionsIn = (outputs: Output[]) =>
    masterPlaylist(outputs, (name) => name)
      .split('\n')
      .filter((line) => line.startsWith('#EXT-X-STREAM-INF'))
      .map((line) => /CLOSED-CAPTIONS=([^,]*)/.exec(line)?.[1])

  test('can be chosen where the pictures have them, and are said of no others', () => {
    const outputs = [rendition('h264', true), rendition('hevc', false)]
    expect(captionsIn(outputs)).toEqual(['"captions"', undefined])
    expect(masterPlaylist(outputs, (name) => name)).toContain(
      '#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID="captions",NAME="CC1",DEFAULT=NO,AUTOSELECT=YES,INSTREAM-ID="CC1"\n',
    )
  })

  test('are said not to be there where no size has any, or an earlier release has not looked', () => {
    const outputs = [rendition('h264', false), rendition('hevc')]
    expect(captionsIn(outputs)).toEqual(['NONE', 'NONE'])
    expect(masterPlaylist(outputs, (name) => name)).not.toContain('TYPE=CLOSED-CAPTIONS')
  })
})
