import { expect, test } from 'vitest'
import { videoOptions } from '../../../../jobs/video/encoders.ts'
import type { VideoPlan } from '../../../../jobs/video/plan.ts'

const plan: VideoPlan = {
  ...{ codec: 'av1', width: 320, height: 180, crf: null, bitrate: null, maxBitrate: 1_000_000 },
  ...{ frameRate: null, pace: null, bFrames: true },
}
const chosen = (size: { width: number; height: number }, av1: string[]) =>
  videoOptions({ ...plan, ...size }, { av1 }, 2)[1]

test('AV1 goes to SVT, and to libaom where a side is too short for SVT', () => {
  expect(chosen({ width: 114, height: 64 }, ['libsvtav1', 'libaom-av1'])).toBe('libsvtav1')
  expect(chosen({ width: 110, height: 62 }, ['libsvtav1', 'libaom-av1'])).toBe('libaom-av1')
  expect(chosen({ width: 62, height: 110 }, ['libsvtav1', 'libaom-av1'])).toBe('libaom-av1')
})

test('where there is only SVT, such a picture is refused in words, and not tried again', () => {
  expect(() => chosen({ width: 110, height: 62 }, ['libsvtav1'])).toThrow(
    expect.objectContaining({
      code: 'picture_too_small',
      retry: false,
      message: expect.stringContaining('110x62'),
    }),
  )
})

test.each([
  { what: 'of a file at a rate of its own', times: {} },
  { what: 'of a recording', times: { pace: 12.5 } },
  { what: 'of a stream', times: { frameRate: { num: 25, den: 1 } } },
])('H.265 $what says nothing of the worker that it comes from, or pieces would be unlike', ({ times }) => {
  const options = videoOptions({ ...plan, codec: 'hevc', ...times }, { hevc: ['libx265'] }, 2)
  expect(options.filter((option) => option === '-x265-params')).toHaveLength(1)
  expect(options[options.indexOf('-x265-params') + 1]?.split(':')).toContain('info=0')
})
