import { expect, test } from 'vitest'
import { EncodeOptions } from '../../../../core/encode/options.ts'

const audio = (value: unknown) => ({ outputs: [{ format: 'mp4', audio: value }] })

test.each([
  [{ poster: 'yes' }, 'poster: expected true, false or an object of atSeconds'],
  [{ poster: { atSeconds: 'now' } }, 'poster: atSeconds: Invalid input: expected number, received string'],
  [{ poster: { atSecond: 1 } }, 'poster: Unrecognized key: "atSecond"'],
  [{ thumbnails: true }, 'thumbnails: expected an integer from 0 to 100 or an object of count and width'],
  [{ thumbnails: 2.5 }, 'thumbnails: expected an integer from 0 to 100 or an object of count and width'],
  [{ thumbnails: 101 }, 'thumbnails: Too big: expected number to be <=100'],
  [{ thumbnails: {} }, 'thumbnails: count: Invalid input: expected number, received undefined'],
  [{ storyboard: 5 }, 'storyboard: expected true, false or an object of intervalSeconds and width'],
  [{ loudness: -23 }, 'loudness: expected true, false or an object of lufs'],
  [{ segments: 'many' }, 'segments: expected auto, off or an integer from 1 to 256'],
  [audio(true), 'outputs.0.audio: expected false or an object of codec, bitrate, channels and tracks'],
  [audio({ codec: 'opus', channels: 3 }), 'outputs.0.audio: channels: expected 1, 2 or 6'],
  [{ qualty: '720p', formt: 'mp4' }, ': Unrecognized keys: "qualty", "formt"'],
])('of %o it is said what is wrong, and where', (request, problem) => {
  const { error } = EncodeOptions.safeParse(request)
  expect(error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)).toEqual([problem])
})
