/** Closed captions in the pictures of a source: whether outputs have them, and what is said of them. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { withCaptions } from '../../../support/captions.ts'
import { type Recipe, testClips, testFfmpeg, testFfprobe } from '../../../support/clips.ts'
import { encodeHere, knownTools } from '../../../support/encode-here.ts'

const clips = await testClips()
const recipe: Recipe = {
  ...{ name: 'plain.h264', size: '128x72', seconds: 2, sound: false },
  options: ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-f', 'h264'],
}
const plain = await readFile(await clips.make(recipe))

/** As it is broadcast. */
async function transportStream(pictures: Buffer): Promise<Uint8Array> {
  const path = join(clips.directory, 'broadcast.ts')
  const raw = await clips.write('pictures.h264', pictures)
  await testFfmpeg(['-v', 'error', '-y', '-i', raw, '-c', 'copy', path])
  return await readFile(path)
}

async function encode(bytes: Uint8Array, codecs: string[]) {
  const outputs = codecs.map((codec) => ({ format: 'hls', codec, height: 72 }))
  const { outcome, objects } = await encodeHere(bytes, {}, { request: { outputs } })
  if (outcome.kind !== 'succeeded') throw new Error(JSON.stringify(outcome))
  const result = outcome.result as unknown as { outputs: { name: string }[]; skipped?: unknown[] }
  return { ...result, fileOf: (name: string) => objects.get(`outputs/${name}`) ?? new Uint8Array() }
}

async function sideDataOf(file: Uint8Array): Promise<string> {
  const shown = ['-show_entries', 'frame_side_data=side_data_type', '-of', 'csv=p=0']
  return await testFfprobe(['-v', 'error', ...shown, await clips.write('output.mp4', file)])
}

test('come along in H.264, and the size that has them is known', async () => {
  const { outputs, skipped, fileOf } = await encode(await transportStream(withCaptions(plain)), ['h264'])
  expect(outputs).toMatchObject([{ codec: 'h264', closedCaptions: true }])
  expect(await sideDataOf(fileOf(outputs[0]?.name ?? ''))).toContain('Closed Captions')
  expect(skipped).toBeUndefined()
})

test.skipIf(!knownTools.known?.encoders.includes('libx265'))(
  'are named as left out where another codec loses them',
  async () => {
    const { outputs, skipped } = await encode(await transportStream(withCaptions(plain)), ['h264', 'hevc'])
    expect(outputs).toMatchObject([
      { codec: 'h264', closedCaptions: true },
      { codec: 'hevc', closedCaptions: false },
    ])
    expect(skipped).toMatchObject([{ name: 'closed-captions' }])
    const without = await encode(await transportStream(plain), ['h264', 'hevc'])
    expect(without.outputs).toMatchObject([{ closedCaptions: false }, { closedCaptions: false }])
    expect(without.skipped).toBeUndefined()
  },
)
