/** Which sounds go into an output, and with how many channels. */
import { readFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { testClips, testFfmpeg, testFfprobe } from '../../../support/clips.ts'
import { encodeHere } from '../../../support/encode-here.ts'

const clips = await testClips()
const picture = ['-f', 'lavfi', '-i', 'testsrc=size=64x36:rate=10:duration=1']
const x264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p']

/** A clip with nothing but a tone on one of the channels of its sound. */
async function clipOf(layout: string, channel: string): Promise<Uint8Array> {
  const tone = ['-f', 'lavfi', '-i', 'sine=frequency=300:duration=1']
  const place = ['-filter:a', `pan=${layout}|${channel}=c0`, '-c:a', 'pcm_s16le', '-shortest']
  const path = await clips.write(`${layout}-${channel}.mkv`, new Uint8Array())
  await testFfmpeg(['-v', 'error', '-y', ...picture, ...tone, ...x264, ...place, path])
  return await readFile(path)
}

const Listed = z.object({
  streams: z.array(
    z.object({
      codec_name: z.string(),
      channels: z.int(),
      channel_layout: z.string().optional(),
      tags: z.object({ language: z.string(), title: z.string() }).partial().default({}),
      disposition: z.object({ default: z.int() }),
    }),
  ),
})

async function soundsIn(path: string) {
  const shown = ['-v', 'error', '-select_streams', 'a', '-show_streams', '-of', 'json']
  return Listed.parse(JSON.parse(await testFfprobe([...shown, path]))).streams
}

async function encode(bytes: Uint8Array, outputs: object[]) {
  const { outcome, objects } = await encodeHere(bytes, {}, { request: { outputs } })
  if (outcome.kind !== 'succeeded') throw new Error(JSON.stringify(outcome))
  const result = outcome.result as { outputs: { key: string; name: string; kind: string }[] }
  return {
    outputs: result.outputs,
    fileOf: async (name: string) =>
      await clips.write(name, objects.get(`outputs/${name}`) ?? new Uint8Array()),
  }
}

/** Decibels of each channel on average, silence about -90. */
async function loudnessOf(path: string, channels: number): Promise<number[]> {
  const bytes = await testFfmpeg(['-v', 'error', '-i', path, '-map', '0:a:0', '-f', 's16le', 'pipe:1'])
  const samples = new Int16Array(bytes.buffer, bytes.byteOffset, bytes.length >> 1)
  return Array.from({ length: channels }, (_, channel) => {
    let [sum, count] = [0, 0]
    for (let at = channel; at < samples.length; at += channels, count++) sum += (samples[at] ?? 0) ** 2
    return 10 * Math.log10(Math.max(sum / count / 32_768 ** 2, 1e-9))
  })
}

test('sound of six channels becomes stereo, unless more is asked for', async () => {
  const { fileOf } = await encode(await clipOf('5.1', 'BL'), [{ format: 'mp4' }])
  expect(await soundsIn(await fileOf('1080p.mp4'))).toMatchObject([{ codec_name: 'aac', channels: 2 }])
})

/** In the order of 5.1: left, right, centre, low, back left, back right. */
test.each([
  { codec: 'aac', format: 'mp4', name: '1080p.mp4' },
  { codec: 'opus', format: 'webm', name: 'vp9-36p.webm' },
])(
  '5.1 stays 5.1 in $codec when it is asked for, each channel in its place',
  async ({ codec, format, name }) => {
    for (const [channel, place] of [
      ['FC', 2],
      ['BR', 5],
    ] as const) {
      const { fileOf } = await encode(await clipOf('5.1', channel), [{ format, audio: { channels: 6 } }])
      const path = await fileOf(name)
      expect(await soundsIn(path)).toMatchObject([{ codec_name: codec, channels: 6, channel_layout: '5.1' }])
      const loudness = await loudnessOf(path, 6)
      for (const [index, decibels] of loudness.entries()) {
        if (index === place) expect(decibels).toBeGreaterThan(-30)
        else expect(decibels).toBeLessThan(-60)
      }
    }
  },
)

describe('of 6 channels asked for', () => {
  test.each([
    ['mono', 'FC', 1],
    ['2.1', 'LFE', 6],
    ['quad', 'BL', 6],
    ['5.1(side)', 'SL', 6],
    ['7.1', 'FC', 6],
  ])('%s gets what it has', async (layout, channel, channels) => {
    const outputs = ['aac', 'opus'].map((codec) => ({
      ...{ format: 'mp4', height: codec === 'aac' ? 36 : 18 },
      audio: { codec, channels: 6 },
    }))
    const { fileOf } = await encode(await clipOf(layout, channel), outputs)
    expect(await soundsIn(await fileOf('h264-36p.mp4'))).toMatchObject([{ codec_name: 'aac', channels }])
    expect(await soundsIn(await fileOf('h264-18p.mp4'))).toMatchObject([{ codec_name: 'opus', channels }])
  })
})

test('Opus takes no more bits than its channels can hold, whatever is asked for', async () => {
  const audio = { codec: 'opus', bitrate: 512_000 }
  const { outputs } = await encode(await clipOf('mono', 'FC'), [{ format: 'webm', audio }])
  expect(outputs).toMatchObject([{ audioCodec: 'opus', audioTracks: [{ channels: 1 }] }])
})

test('stereo becomes mono where that is asked for', async () => {
  const { fileOf } = await encode(await clipOf('stereo', 'FL'), [{ format: 'mp4', audio: { channels: 1 } }])
  expect(await soundsIn(await fileOf('1080p.mp4'))).toMatchObject([{ channels: 1 }])
})

describe('several sounds', async () => {
  const path = await clips.write('languages.mkv', new Uint8Array())
  const tones = [300, 600, 900].flatMap((hertz) => [
    '-f',
    'lavfi',
    '-i',
    `sine=frequency=${hertz}:duration=1`,
  ])
  await testFfmpeg([
    ...['-v', 'error', '-y', ...picture, ...tones],
    ...[0, 1, 2, 3].flatMap((input) => ['-map', String(input)]),
    ...[
      '-metadata:s:a:0',
      'language=eng',
      '-metadata:s:a:1',
      'language=ger',
      '-metadata:s:a:1',
      'title=Kommentar',
    ],
    ...['-disposition:a:0', '0', '-disposition:a:1', 'default', '-disposition:a:2', '0'],
    ...[...x264, '-c:a', 'aac', path],
  ])
  const bytes = await readFile(path)

  test('all go into a file with their languages, the default first', async () => {
    const { outputs, fileOf } = await encode(bytes, [
      { format: 'mp4', audio: { tracks: 'all' } },
      { format: 'webm', audio: { tracks: 'all' } },
    ])
    for (const name of ['1080p.mp4', 'vp9-36p.webm']) {
      const sounds = await soundsIn(await fileOf(name))
      expect(sounds.map(({ tags, disposition }) => [tags.language ?? 'und', disposition.default])).toEqual([
        ['ger', 1],
        ['eng', 0],
        ['und', 0],
      ])
    }
    expect(outputs[1]).toMatchObject({
      audioTracks: [
        { codec: 'opus', language: 'ger', title: 'Kommentar' },
        { codec: 'opus', language: 'eng', title: null },
        { codec: 'opus', language: null, title: null },
      ],
    })
  })

  test('only the default one does where nothing is asked for', async () => {
    const { fileOf } = await encode(bytes, [{ format: 'mp4' }])
    expect(await soundsIn(await fileOf('1080p.mp4'))).toMatchObject([{ tags: { language: 'ger' } }])
  })

  test('all are there to be chosen in a stream', async () => {
    const { outputs } = await encode(bytes, [{ format: 'hls' }])
    expect(outputs.filter(({ kind }) => kind === 'audio')).toMatchObject([
      { language: 'ger', channels: 1 },
      { language: 'eng', channels: 1 },
      { language: null, channels: 1 },
    ])
  })
})

describe('of sounds that are announced but hold nothing', () => {
  const tone = ['-f', 'lavfi', '-i', 'sine=frequency=300:duration=1']
  /** The tracks in this order, the first one the default. */
  const clipWith = async (name: string, empty: boolean[]) => {
    const path = await clips.write(name, new Uint8Array())
    await testFfmpeg([
      ...['-v', 'error', '-y', ...picture, ...empty.flatMap(() => tone)],
      ...['-map', '0', ...empty.flatMap((_, track) => ['-map', String(track + 1)])],
      ...empty.flatMap((isEmpty, track) => (isEmpty ? [`-filter:a:${track}`, 'aselect=0'] : [])),
      ...[...x264, '-c:a', 'aac', path],
    ])
    return await readFile(path)
  }
  const skippedOf = async (bytes: Uint8Array, format: string) => {
    const { outcome } = await encodeHere(bytes, {}, { request: { outputs: [{ format }] } })
    expect(outcome).toMatchObject({ kind: 'succeeded' })
    return outcome as unknown as { result: { skipped: unknown; source: object; outputs: object[] } }
  }
  const skipped = (number: number) => [
    { name: `audio-${number}`, reason: expect.stringContaining('nothing') },
  ]

  test.each(['mp4', 'hls'])('the only one is left out of %s, and said to be', async (format) => {
    const { result } = await skippedOf(await clipWith('only.mkv', [true]), format)
    expect(result).toMatchObject({ source: { audioTracks: [] }, skipped: skipped(1) })
  })

  test.each(['mp4', 'hls'])('another is taken in place of the default one, in %s', async (format) => {
    const { result } = await skippedOf(await clipWith('default.mkv', [true, false]), format)
    expect(result).toMatchObject({ source: { audioTracks: [{ codec: 'aac' }] }, skipped: skipped(1) })
    expect(JSON.stringify(result.outputs)).toContain('"aac"')
  })

  test('the others are taken as they are', async () => {
    const { result } = await skippedOf(await clipWith('second.mkv', [false, true]), 'hls')
    expect(result.outputs.filter((output) => 'kind' in output && output.kind === 'audio')).toHaveLength(1)
    expect(result.skipped).toEqual(skipped(2))
  })
})

test('streams have six channels where one of them asks for so many, and say so', async () => {
  const { outputs } = await encode(await clipOf('5.1', 'FC'), [
    { format: 'hls', height: 36, audio: { channels: 6 } },
    { format: 'dash', height: 18 },
  ])
  expect(outputs.filter(({ kind }) => kind === 'audio')).toMatchObject([{ channels: 6, codecs: 'mp4a.40.2' }])
})

test('a track that nobody knows the codec of is left out and named, and the next is heard in its place', async () => {
  const path = await clips.write('unknown.mkv', new Uint8Array())
  const tone = ['-f', 'lavfi', '-i', 'sine=frequency=300:duration=1']
  const sounds = ['-map', '0:v', '-map', '1:a', '-map', '1:a', '-c:a:0', 'pcm_s16le', '-c:a:1', 'aac']
  await testFfmpeg(['-v', 'error', '-y', ...picture, ...tone, ...sounds, ...x264, path])
  const bytes = await readFile(path)
  bytes.write('A_NEW', bytes.indexOf('A_PCM'))
  const { outcome } = await encodeHere(bytes)
  expect(outcome).toMatchObject({
    kind: 'succeeded',
    result: {
      source: { audioCodec: 'aac', audioTracks: [{ codec: 'aac' }] },
      skipped: [{ name: 'audio-1', reason: 'The codec of the track is not known.' }],
    },
  })
})
