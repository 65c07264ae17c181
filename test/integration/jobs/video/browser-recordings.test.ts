/** What MediaRecorder writes: no length, no rate, each picture at the millisecond it was taken. */
import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { testClips } from '../../../support/clips.ts'
import { encodeHere } from '../../../support/encode-here.ts'

const clips = await testClips()

/** DefaultDuration of a track (RFC 9559), eight bytes with its size; Void instead has the rate told by nobody. */
function withoutRate(bytes: Uint8Array): Uint8Array {
  const place = Buffer.from(bytes).indexOf(Buffer.from('23e38384', 'hex'))
  if (place < 0) throw new Error('no DefaultDuration')
  return Buffer.from(bytes)
    .fill(0, place, place + 8)
    .fill(Buffer.from('ec86', 'hex'), place, place + 2)
}

test('a recording without a rate is streamed at the pace of its pictures, not at that of its clock', async () => {
  const path = await clips.make({
    name: 'recording.webm',
    ...{ picture: 'testsrc2=size=160x90:rate=30:duration=4', sound: false },
    options: [
      ...[
        '-vf',
        'settb=1/1000,setpts=round(1000*N/30+25*random(1))',
        '-vsync',
        'vfr',
        '-enc_time_base',
        '1:1000',
      ],
      ...['-c:v', 'libvpx', '-deadline', 'realtime', '-live', '1'],
    ],
  })
  const { outcome } = await encodeHere(
    withoutRate(await readFile(path)),
    {},
    { request: { outputs: [{ format: 'hls', codec: 'h264', height: 90 }] } },
  )
  expect(outcome).toMatchObject({
    kind: 'succeeded',
    result: {
      source: { frameRate: expect.closeTo(30, 0) },
      outputs: expect.arrayContaining([expect.objectContaining({ kind: 'rendition', frameRate: 30 })]),
    },
  })
})
