/** What MediaRecorder writes: no length, no rate, each picture at the millisecond it was taken. */
import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { testClips, testFfprobe } from '../../../support/clips.ts'
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

/** Four seconds of thirty pictures each. */
async function recording(name: string, size: string): Promise<Uint8Array> {
  const path = await clips.make({
    name,
    ...{ picture: `testsrc2=size=${size}:rate=30:duration=4`, sound: false },
    options: [
      ...['-vf', 'settb=1/1000,setpts=round(1000*N/30+25*random(1))'],
      ...['-vsync', 'vfr', '-enc_time_base', '1:1000'],
      ...['-c:v', 'libvpx', '-deadline', 'realtime', '-cpu-used', '8'],
    ],
  })
  return withoutRate(await readFile(path))
}

test('a recording without a rate is streamed at the pace of its pictures, not at that of its clock', async () => {
  const { outcome } = await encodeHere(
    await recording('recording.webm', '160x90'),
    {},
    { request: { outputs: [{ format: 'hls', codec: 'h264', height: 90 }] } },
  )
  expect(outcome).toMatchObject({
    kind: 'succeeded',
    result: {
      source: { frameRate: expect.closeTo(30, 0) },
      outputs: expect.arrayContaining([
        expect.objectContaining({ kind: 'rendition', frameRate: expect.closeTo(30, 1) }),
      ]),
    },
  })
})

test('a file of it has a level that players take: its pace, not its clock', async () => {
  const { outcome, objects } = await encodeHere(await recording('level.webm', '1280x720'))
  expect(outcome).toMatchObject({ kind: 'succeeded', result: { outputs: [{ frameCount: 120 }] } })
  const [key] = [...objects.keys()].filter((name) => name.endsWith('.mp4'))
  const file = await clips.write('level.mp4', objects.get(key ?? '') ?? new Uint8Array())
  const shown = ['-show_entries', 'stream=level', '-of', 'csv=p=0']
  expect(await testFfprobe(['-v', 'error', '-select_streams', 'v', ...shown, file])).toBe('31\n')
})

test('as AV1 it has a constant rate: the encoder takes no faster clock than 240 pictures a second', async () => {
  const { outcome } = await encodeHere(
    await recording('av1.webm', '160x90'),
    {},
    { request: { outputs: [{ format: 'webm', codec: 'av1', height: 90 }] } },
  )
  expect(outcome).toMatchObject({ kind: 'succeeded', result: { outputs: [{ codec: 'av1' }] } })
})

test('pictures that come fast after a pause are all kept, though on average they come slowly', async () => {
  const path = await clips.make({
    name: 'burst.mp4',
    ...{ picture: 'testsrc2=size=160x90:rate=60:duration=12', sound: false },
    options: [
      // One a second for ten seconds, then sixty.
      ...['-vf', "select='gte(t,10)+not(mod(n,60))',settb=1/90000,setpts='PTS+floor(700*random(1))'"],
      ...['-vsync', 'vfr', '-enc_time_base', '1:90000', '-video_track_timescale', '90000'],
      ...['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p'],
    ],
  })
  const { outcome } = await encodeHere(await readFile(path))
  expect(outcome).toMatchObject({ kind: 'succeeded', result: { outputs: [{ frameCount: 130 }] } })
})

test('its sound goes on behind the last picture, also when a part of it is asked for', async () => {
  const path = await clips.make({
    name: 'talk.webm',
    ...{ picture: 'testsrc2=size=64x36:rate=10:duration=1', seconds: 4 },
    // To a pipe, as a browser writes: nobody goes back to tell the length.
    options: ['-c:v', 'libvpx', '-deadline', 'realtime', '-c:a', 'libopus', '-live', '1'],
  })
  const { outcome } = await encodeHere(await readFile(path), {}, { request: { trim: { start: 0.5 } } })
  expect(outcome).toMatchObject({
    kind: 'succeeded',
    result: {
      source: { durationSeconds: expect.closeTo(4, 0) },
      outputs: [{ durationSeconds: expect.closeTo(3.5, 0) }],
    },
  })
})
