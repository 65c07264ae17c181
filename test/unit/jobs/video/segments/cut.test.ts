import { describe, expect, test } from 'vitest'
import { cut } from '../../../../../jobs/video/segments/cut.ts'
import { frameAt } from '../../../../../jobs/video/segments/piece.ts'

const rate = { num: 30_000, den: 1001 }
const times = Array.from({ length: 1000 }, (_, frame) => (frame * rate.den) / rate.num)
const frames = {
  startSeconds: 0,
  times,
  keyTimes: times.filter((_, frame) => frame % 77 === 0),
  isContinuous: true,
}
const pieces = (count: number, listsKeyFrames = true) =>
  cut({ frames, rate, groupFrames: 60, count, listsKeyFrames })

describe.each([1, 2, 3, 7, 16, 200])('%i pieces', (count) => {
  test('have every frame once, and begin with a group of pictures', () => {
    const all = pieces(count)
    expect(all).toHaveLength(Math.min(count, 16))
    expect(all[0]?.firstFrame).toBe(0)
    expect(all.at(-1)?.endFrame).toBeNull()
    for (const [index, { firstFrame, endFrame }] of all.entries()) {
      expect(firstFrame % 60).toBe(0)
      expect(endFrame).toBe(all[index + 1]?.firstFrame ?? null)
    }
  })

  test('are entered at a key frame, before the first frame that is looked at', () => {
    for (const { firstFrame, fromSeconds, seekSeconds } of pieces(count)) {
      expect(frames.keyTimes).toContain(seekSeconds)
      expect(seekSeconds).toBeLessThanOrEqual(fromSeconds)
      if (firstFrame > 0) expect(fromSeconds).toBeLessThan(times[firstFrame - 3] ?? 0)
    }
  })
})

test('a container without a list of its key frames is entered a second earlier', () => {
  const [, listed] = pieces(4)
  const [, searched] = pieces(4, false)
  expect(searched?.seekSeconds).toBeCloseTo((listed?.seekSeconds ?? 0) - 1)
})

test('borders stand on the grid of every second frame, too', () => {
  const half = { num: 15_000, den: 1001 }
  for (const { firstFrame } of pieces(5)) expect(frameAt(firstFrame, rate, half) * 2).toBe(firstFrame)
})
