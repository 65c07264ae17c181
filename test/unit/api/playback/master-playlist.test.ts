import { expect, test } from 'vitest'
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
