/** What MediaRecorder writes: no length, no rate, each picture at the millisecond it was taken. */
import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { testClips, testFfmpeg, testFfprobe } from '../../../support/clips.ts'
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

/** Four seconds. */
async function recording(
  name: string,
  { size = '160x90', framesPerSecond = 30, sound = false } = {},
): Promise<Uint8Array> {
  const path = await clips.make({
    name,
    ...{ picture: `testsrc2=size=${size}:rate=${framesPerSecond}:duration=4`, seconds: 4, sound },
    options: [
      ...['-vf', 'settb=1/1000,setpts=round(1000*T+25*random(1))'],
      ...['-vsync', 'vfr', '-enc_time_base:v', '1:1000'],
      ...['-c:v', 'libvpx', '-deadline', 'realtime', '-cpu-used', '8'],
      ...(sound ? ['-c:a', 'libopus'] : []),
    ],
  })
  return withoutRate(await readFile(path))
}

test('a recording without a rate is streamed at the pace of its pictures, not at that of its clock', async () => {
  const { outcome } = await encodeHere(
    await recording('recording.webm'),
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
  const { outcome, objects } = await encodeHere(await recording('level.webm', { size: '1280x720' }))
  expect(outcome).toMatchObject({ kind: 'succeeded', result: { outputs: [{ frameCount: 120 }] } })
  const [key] = [...objects.keys()].filter((name) => name.endsWith('.mp4'))
  const file = await clips.write('level.mp4', objects.get(key ?? '') ?? new Uint8Array())
  const shown = ['-show_entries', 'stream=level', '-of', 'csv=p=0']
  expect(await testFfprobe(['-v', 'error', '-select_streams', 'v', ...shown, file])).toBe('31\n')
})

test.each([[['av1', 'h264']], [['h264', 'av1']]])(
  'as AV1 it has a constant rate, whatever else is made of it: %j',
  async (codecs) => {
    const outputs = codecs.map((codec) => ({ format: 'mp4', codec, height: 90 }))
    const { outcome } = await encodeHere(
      await recording('av1.webm', { framesPerSecond: 15 }),
      {},
      { request: { outputs } },
    )
    // No stream has so few pictures a second: those between are repeated.
    expect(outcome).toMatchObject({
      kind: 'succeeded',
      result: {
        outputs: codecs.map((codec) => ({
          codec,
          frameCount: codec === 'h264' ? 60 : expect.toSatisfy((count: number) => count > 60),
        })),
      },
    })
  },
)

test('as WebM it is heard from beginning to end', async () => {
  const bytes = await recording('heard.webm', { sound: true })
  const { outcome, objects } = await encodeHere(bytes, {}, { request: { outputs: [{ format: 'webm' }] } })
  expect(outcome).toMatchObject({ kind: 'succeeded' })
  const key = [...objects.keys()].find((name) => name.startsWith('outputs/'))
  const file = await clips.write('heard-out.webm', objects.get(key ?? '') ?? new Uint8Array())
  const samples = await testFfmpeg([
    '-v',
    'error',
    '-i',
    file,
    '-map',
    '0:a',
    '-ac',
    '1',
    '-f',
    's16le',
    'pipe:1',
  ])
  expect(samples.length / 2 / 48_000).toBeCloseTo(4, 0)
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
