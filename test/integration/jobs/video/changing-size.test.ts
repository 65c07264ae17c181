/** Pictures of another size in the middle, as of a window that is drawn larger, or of a caller who turns the phone. */
import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { brightnessOf, h264, testClips } from '../../../support/clips.ts'
import { encodeHere } from '../../../support/encode-here.ts'

const clips = await testClips()

/** A second of white lying down, and one of white standing up. */
async function turned(): Promise<Uint8Array> {
  const part = async (size: string, from: number) =>
    await readFile(
      await clips.make({
        name: `${size}.ts`,
        ...{ picture: `color=white:size=${size}:rate=25:duration=1`, sound: false },
        options: [...h264, '-output_ts_offset', String(from)],
      }),
    )
  return Buffer.concat([await part('160x90', 1), await part('90x160', 2)])
}

test.each(['mp4', 'hls'])('are fitted in, not stretched, and %s has each of them once', async (format) => {
  const { outcome, objects } = await encodeHere(
    await turned(),
    {},
    { request: { outputs: [{ format, codec: 'h264', height: 90 }] } },
  )
  expect(outcome).toMatchObject({ kind: 'succeeded' })
  const key = [...objects.keys()].find((name) => name.startsWith('outputs/') && name.endsWith('.mp4'))
  const file = await clips.write(`${format}.mp4`, objects.get(key ?? '') ?? new Uint8Array())
  const corners = await brightnessOf(file)
  expect(corners).toHaveLength(50)
  expect(Math.min(...corners.slice(0, 25))).toBeGreaterThan(200)
  expect(Math.max(...corners.slice(25))).toBeLessThan(30)
})

test.each(['mp4', 'hls'])(
  'sound that has more channels from the middle on goes on in %s, too',
  async (format) => {
    const part = async (layout: string, from: number) =>
      await readFile(
        await clips.make({
          name: `${layout}.ts`,
          ...{ picture: 'testsrc2=size=64x36:rate=25:duration=2', seconds: 2 },
          options: [
            ...['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p'],
            ...['-af', `aformat=channel_layouts=${layout}`, '-c:a', 'ac3', '-output_ts_offset', String(from)],
          ],
        }),
      )
    const source = Buffer.concat([await part('stereo', 1), await part('5.1', 3)])
    const { outcome } = await encodeHere(source, {}, { request: { outputs: [{ format, height: 36 }] } })
    expect(outcome).toMatchObject({
      kind: 'succeeded',
      result: { source: { durationSeconds: expect.closeTo(4, 0) } },
    })
  },
)
