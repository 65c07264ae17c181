/** Files whose edit list shows a part of what they hold (ISO/IEC 14496-12, 8.6.6), as phones trim a video. */
import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { boxes, testClips } from '../../../support/clips.ts'
import { encodeHere } from '../../../support/encode-here.ts'

const clips = await testClips()

/** Four seconds of 25 pictures each of which only those from `start` on are shown. */
async function trimmed(
  name: string,
  { start, seconds }: { start: number; seconds: number },
  options: string[] = [],
) {
  const path = await clips.make({
    name,
    size: '64x36',
    seconds: 4,
    sound: false,
    options: [...x264, ...options],
  })
  const bytes = new Uint8Array(await readFile(path))
  const view = new DataView(bytes.buffer)
  const placeOf = (types: string[]) => {
    let box = { type: '', offset: -8, sizeBytes: bytes.length + 8 }
    for (const type of types) {
      const found = boxes(bytes, box.offset + 8, box.offset + box.sizeBytes).find(
        (each) => each.type === type,
      )
      if (found === undefined) throw new Error(`no box ${type}`)
      box = found
    }
    return box.offset + 8
  }
  // Version and flags take four bytes, the times of creation and change eight.
  const movie = placeOf(['moov', 'mvhd'])
  const ticks = seconds * view.getUint32(movie + 12)
  view.setUint32(movie + 16, ticks)
  view.setUint32(placeOf(['moov', 'trak', 'tkhd']) + 20, ticks)
  const edits = placeOf(['moov', 'trak', 'edts', 'elst'])
  view.setUint32(edits + 8, ticks)
  view.setInt32(edits + 12, start * view.getUint32(placeOf(['moov', 'trak', 'mdia', 'mdhd']) + 12))
  return bytes
}

/** FFmpeg reads from the key frame before the part to the one behind it: with few of them, that would be all. */
const x264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-g', '25']
const varying = ['-vf', "select='gte(t,2)+not(mod(n,25))'", '-vsync', 'vfr', '-g', '1']

test.each([
  {
    what: 'the beginning',
    name: 'beginning.mp4',
    part: { start: 0, seconds: 1 },
    options: [],
    frameCount: 25,
  },
  { what: 'the middle', name: 'middle.mov', part: { start: 1, seconds: 2 }, options: [], frameCount: 50 },
  { what: 'the end', name: 'end.mp4', part: { start: 3, seconds: 1 }, options: [], frameCount: 25 },
  {
    what: 'the slow beginning of a varying rate',
    ...{ name: 'slow.mp4', part: { start: 0, seconds: 2 }, options: varying, frameCount: 2 },
  },
])(
  'of a video cut to $what that is encoded, and nothing is missing',
  async ({ name, part, options, frameCount }) => {
    const { outcome } = await encodeHere(await trimmed(name, part, options))
    expect(outcome).toMatchObject({ kind: 'succeeded', result: { outputs: [{ frameCount }] } })
  },
)

test('what the edit list shows may still be cut off', async () => {
  const part = { start: 0, seconds: 3 }
  const bytes = await trimmed('cut.mp4', part, ['-movflags', '+faststart'])
  const { outcome } = await encodeHere(bytes.subarray(0, bytes.length * 0.4))
  expect(outcome).toMatchObject({ kind: 'failed', errorCode: 'invalid_media' })
})
