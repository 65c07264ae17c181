import { expect, test } from 'vitest'
import { outputBound } from '../../../../jobs/video/output-bound.ts'
import type { AudioPlan, Target, VideoPlan } from '../../../../jobs/video/plan.ts'

const slackBytes = 64 * 1024 ** 2
const video: VideoPlan = {
  ...{ codec: 'h264', width: 320, height: 180, crf: null, bitrate: null, maxBitrate: 8_000_000 },
  ...{ frameRate: null, pace: null, bFrames: true },
}
const audio: AudioPlan = {
  ...{ stream: 1, codec: 'aac', bitrate: 160_000, channels: 2, sampleRate: 48_000 },
  ...{ language: null, title: null },
}
const file: Target = { kind: 'file', name: 'a.mp4', format: 'mp4', video, audio, moreAudio: [audio] }
const allowedBytes = 1024 ** 4

test('a video may grow to four times what its pictures and sounds can come to', () => {
  const bytes = 100 * ((8_000_000 + 2 * 160_000) / 8)
  expect(outputBound([file], { durationSeconds: 100, allowedBytes })).toBe(slackBytes + 4 * bytes)
  expect(outputBound([file, file], { durationSeconds: 100, allowedBytes })).toBe(slackBytes + 8 * bytes)
})

test('but never beyond what the worker allows', () => {
  expect(outputBound([file], { durationSeconds: 100, allowedBytes: 1000 })).toBe(1000)
})
