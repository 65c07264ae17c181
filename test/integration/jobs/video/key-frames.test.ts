/** Where the key frames of files are, whose frames keep their own times. */
import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { testClips, testFfprobe } from '../../../support/clips.ts'
import { encodeHere } from '../../../support/encode-here.ts'

const clips = await testClips()

async function keySecondsOf(name: string): Promise<number[]> {
  const { outcome, objects } = await encodeHere(await readFile(name), {}, { request: { quality: '720p' } })
  expect(outcome).toMatchObject({ kind: 'succeeded' })
  const path = await clips.write('encoded.mp4', objects.get('outputs/720p.mp4') ?? new Uint8Array())
  const shown = ['-select_streams', 'v', '-show_entries', 'packet=pts_time,flags', '-of', 'csv=p=0']
  const packets = (await testFfprobe(['-v', 'error', ...shown, path])).trim().split('\n')
  return packets.filter((packet) => packet.includes('K')).map((packet) => Number.parseFloat(packet))
}

/** Nothing moves: the encoder itself sees no need for one. */
const still = { picture: 'color=gray:size=64x36:rate=10:duration=66', sound: false }

test('come every two seconds after a pause of the pictures, too, not with every picture', async () => {
  const pause = ['-vf', "select='lt(t,4)+gte(t,60)'", '-vsync', 'vfr']
  const options = [...pause, '-c:v', 'libx264', '-preset', 'ultrafast']
  const path = await clips.make({ name: 'pause.mkv', ...still, options })
  expect(await keySecondsOf(path)).toEqual([0, 2, 60, 62, 64])
})

test.each([24, 25, 30, 60, '30000/1001'])('come every two seconds of %s pictures each', async (rate) => {
  const picture = `color=gray:size=64x36:rate=${rate}:duration=20.1`
  const path = await clips.make({ name: `steady-${rate}.mp4`.replace('/', '-'), picture, sound: false })
  const seconds = await keySecondsOf(path)
  expect(seconds.map((each) => Math.round(each * 10) / 10)).toEqual([0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20])
})
