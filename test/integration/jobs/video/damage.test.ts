import { readFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { type Recipe, testClips, testFfprobe } from '../../../support/clips.ts'
import { dice } from '../../../support/dice.ts'
import { encodeHere } from '../../../support/encode-here.ts'

const clips = await testClips()
const common = { seconds: 4, sound: false }
const recipes: (Recipe & { what: string })[] = [
  { what: 'H.264 in MP4', name: 'clip.mp4', ...common },
  { what: 'H.264 in Matroska', name: 'clip.mkv', ...common },
  { what: 'MPEG-4 in AVI', name: 'clip.avi', ...common, options: ['-c:v', 'mpeg4'] },
  { what: 'MPEG-2 in a transport stream', name: 'clip.ts', ...common, options: ['-c:v', 'mpeg2video'] },
]

/** Overwrites eight bytes in so many places between a third and two thirds of the file. */
function damaged(bytes: Uint8Array, places: number): Uint8Array {
  const roll = dice(1)
  const copy = Uint8Array.from(bytes)
  for (let place = 0; place < places; place++) {
    const at = Math.floor(bytes.length / 3 + (roll() * bytes.length) / 3)
    for (let byte = 0; byte < 8; byte++) copy[at + byte] = Math.floor(roll() * 256)
  }
  return copy
}

describe.each(recipes)('$what', (recipe) => {
  test('damaged in places is encoded, and the result says how many pictures suffered', async () => {
    const bytes = await readFile(await clips.make(recipe))
    const whole = await encodeHere(bytes)
    expect(whole.outcome).toMatchObject({ kind: 'succeeded', result: { source: { damagedFrames: 0 } } })
    const { outcome, logs } = await encodeHere(damaged(bytes, 3))
    expect(outcome).toMatchObject({ result: { source: { damagedFrames: expect.any(Number) } } })
    const { damagedFrames } = (outcome as unknown as { result: { source: { damagedFrames: number } } }).result
      .source
    expect(damagedFrames).toBeGreaterThanOrEqual(1)
    expect(logs).toContainEqual({
      level: 'warn',
      text: 'damaged',
      fields: { damagedFrames, frameCount: expect.any(Number) },
    })
  })

  test('damaged all over is refused', async () => {
    const bytes = await readFile(await clips.make(recipe))
    const { outcome } = await encodeHere(damaged(bytes, 200))
    expect(outcome).toMatchObject({ kind: 'failed', errorCode: 'invalid_media', retry: false })
  })
})

/** A second of picture, and sound of which every packet is overwritten. */
async function withUndecodableSound(): Promise<Uint8Array> {
  const path = await clips.make({ name: 'deaf.mp4', size: '64x36', seconds: 1 })
  const shown = ['-select_streams', 'a', '-show_entries', 'packet=size,pos', '-of', 'csv=p=0']
  const packets = (await testFfprobe(['-v', 'error', ...shown, path])).trim().split('\n')
  const bytes = new Uint8Array(await readFile(path))
  for (const packet of packets) {
    const [sizeBytes = 0, at = 0] = packet.split(',').map(Number)
    bytes.fill(255, at, at + sizeBytes)
  }
  return bytes
}

test.each(['mp4', 'hls'])('sound of which nothing can be decoded is damage, in %s', async (format) => {
  const request = { outputs: [{ format }] }
  const { outcome } = await encodeHere(await withUndecodableSound(), {}, { request })
  expect(outcome).toMatchObject({
    kind: 'failed',
    errorCode: 'invalid_media',
    message: 'The sound of the video can not be decoded.',
    retry: false,
  })
})
