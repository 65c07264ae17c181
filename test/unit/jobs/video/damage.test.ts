import { expect, test } from 'vitest'
import { DamageCounter, refuseDamaged } from '../../../../jobs/video/damage.ts'

/** What several versions of FFmpeg say, of a video whose second stream is its picture. */
const rows: { what: string; lines: string[]; damagedFrames: number }[] = [
  { what: 'nothing', lines: ['Stream mapping:', 'frame=  75 fps=0.0'], damagedFrames: 0 },
  {
    what: 'concealed twice, by FFmpeg of 2018',
    lines: [
      '[h264 @ 0x1] error while decoding MB 3 4, bytestream -5',
      '[h264 @ 0x1] concealing 12 DC, 12 AC, 12 MV errors in P frame',
      '[h264 @ 0x1] concealing 1 DC, 1 AC, 1 MV errors in P frame',
    ],
    damagedFrames: 2,
  },
  {
    what: 'once, told in two ways by FFmpeg 5',
    lines: [
      '[h264 @ 0x1] concealing 12 DC, 12 AC, 12 MV errors in P frame',
      'source: corrupt decoded frame in stream 1',
    ],
    damagedFrames: 1,
  },
  {
    what: 'once, told by FFmpeg 7',
    lines: ['[vist#0:1/h264 @ 0x1] [dec:h264 @ 0x2] Error submitting packet to decoder: Invalid data found'],
    damagedFrames: 1,
  },
  {
    what: 'once not decoded at all',
    lines: ['Error while decoding stream #0:1: Invalid data found when processing input'],
    damagedFrames: 1,
  },
  {
    what: 'only in its sound',
    lines: [
      'Error while decoding stream #0:0: Invalid data found when processing input',
      '[aist#0:0/aac @ 0x1] [dec:aac @ 0x2] Error submitting packet to decoder: Invalid data found',
    ],
    damagedFrames: 0,
  },
]

test.each(rows)('damaged $what: $damagedFrames', ({ lines, damagedFrames }) => {
  const counter = new DamageCounter(1)
  for (const line of lines) counter.read(line)
  expect(counter.damagedFrames).toBe(damagedFrames)
})

test('a tenth of the pictures may be damaged, and not one more', () => {
  expect(() => refuseDamaged({ damagedFrames: 10, frameCount: 100 })).not.toThrow()
  expect(() => refuseDamaged({ damagedFrames: 11, frameCount: 100 })).toThrow(/11 of its 100 pictures/)
})
