import { describe, expect, test } from 'vitest'
import { damagedOf } from '../../../../../jobs/video/segments/join-parts.ts'

const part = (name: string, damagedFrames: number) => ({
  files: [{ name, key: name, sizeBytes: 1 }],
  frameCount: 100,
  damagedFrames,
})
const piece = (damagedFrames: number) => part('video-h264-90p.mp4', damagedFrames)

describe('damaged pictures', () => {
  test('of pieces are added up, but for those that lean on what lies before a piece', () => {
    expect(damagedOf([piece(3), piece(16), piece(20)])).toBe(3 + 0 + 4)
  })

  test('that a part of the whole length meets, too, count once', () => {
    expect(damagedOf([part('1080p.mp4', 7), piece(3), piece(16 + 4)])).toBe(7)
    expect(damagedOf([part('1080p.mp4', 5), piece(3), piece(16 + 4)])).toBe(7)
  })

  test('are those of the pieces where the part of the whole length is sound alone', () => {
    expect(damagedOf([part('audio-aac-1.mp4', 0), piece(3), piece(0)])).toBe(3)
  })
})
