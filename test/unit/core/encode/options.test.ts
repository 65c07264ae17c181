import { expect, test } from 'vitest'
import { EncodeOptions, problemsOf } from '../../../../core/encode/options.ts'

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

test.each([
  ['h264', 0, 51],
  ['hevc', -1, 51],
  ['vp9', -1, 63],
  ['av1', 0, 63],
] as const)('%s takes a constant quality above %i up to %i', (codec, below, most) => {
  const problems = (crf: number) =>
    problemsOf({ segments: 'auto', outputs: [{ format: 'mp4', codec, crf }] }).map(({ message }) => message)
  expect(problems(below)).toEqual([`expected at least ${below + 1} for this codec`])
  expect(problems(below + 1)).toEqual([])
  expect(problems(most)).toEqual([])
  expect(problems(most + 1)).toEqual([`expected at most ${most} for this codec`])
})
