import { expect, test } from 'vitest'
import { manifest } from '../../../../api/playback/manifest.ts'
import type { Output } from '../../../../api/playback/video.ts'

const ranges = { headRange: [0, 700], indexRange: [700, 800] } as {
  headRange: [number, number]
  indexRange: [number, number]
}
const stored = { key: 'k', filename: 'f', contentType: 'video/mp4', bitrate: 1, peakBitrate: 1, ...ranges }

function rendition(durationSeconds: number): Output {
  return {
    ...{ ...stored, kind: 'rendition', name: 'video-h264-90p.mp4', width: 160, height: 90, frameRate: 25 },
    ...{ codec: 'h264', codecs: 'avc1.64000a', durationSeconds, playlistKey: 'p' },
  }
}

function sound(durationSeconds: number): Output {
  return {
    ...{ ...stored, kind: 'audio', name: 'audio-aac-1.mp4', codec: 'aac', codecs: 'mp4a.40.2', channels: 2 },
    ...{ sampleRate: 48_000, language: null, title: null, durationSeconds, playlistKey: 'p' },
  }
}

test.each([
  { what: 'the picture', outputs: [rendition(6), sound(2)] },
  { what: 'the sound', outputs: [rendition(2), sound(6)] },
  { what: 'the picture alone', outputs: [rendition(6)] },
])('a presentation is as long as $what that goes on longest', ({ outputs }) => {
  expect(manifest(outputs, (name) => name)).toContain('mediaPresentationDuration="PT6.000S"')
})
