/** What can be asked of an encode beside its size, each on a clip of a few seconds and looked at in the result. */
import { readFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type JobRun, runJob } from '../../../../core/testing/run-job.ts'
import encodePart from '../../../../jobs/encode.part.ts'
import { PartParams } from '../../../../jobs/video/segments/part.ts'
import {
  brightnessOf,
  colourAt,
  h264,
  inspect,
  testClips,
  testFfmpeg,
  testFfprobe,
} from '../../../support/clips.ts'
import { encodeHere, knownTools } from '../../../support/encode-here.ts'

const clips = await testClips()

const Result = z.object({
  outputs: z.array(z.looseObject({ kind: z.string(), name: z.string(), key: z.string() })),
  skipped: z.array(z.object({ name: z.string(), reason: z.string() })).default([]),
})

/** Encodes the clip; @returns what is told of the outputs, and a way to their files */
async function encode(path: string, request: object, objects: Record<string, Uint8Array> = {}) {
  const run = await encodeHere(await readFile(path), {}, { request, objects })
  expect(run.outcome, JSON.stringify(run.outcome)).toMatchObject({ kind: 'succeeded' })
  const { outputs, skipped } = Result.parse('result' in run.outcome ? run.outcome.result : null)
  const bytesOf = (name: string) => run.objects.get(outputs.find((each) => each.name === name)?.key ?? '')
  return {
    outputs,
    skipped,
    names: outputs.map(({ name }) => name),
    textOf: (name: string) => Buffer.from(bytesOf(name) ?? []).toString(),
    fileOf: async (name: string) => await clips.write(name, bytesOf(name) ?? new Uint8Array()),
  }
}

function failure({ outcome }: JobRun) {
  expect(outcome.kind).toBe('failed')
  return outcome
}

const listed = (await testFfmpeg(['-v', 'error', '-encoders'])).toString()
/** SVT encodes no less than 64 lines. */
const tiny = { size: '114x64', seconds: 0.6 }
/** Its sound goes on for three times as long as its picture. */
const outlasted = { picture: 'testsrc2=size=128x72:rate=25:duration=2', seconds: 6 }

describe.each([
  { codec: 'hevc', encoder: 'libx265', codecs: /^hvc1\.1\.6\.L\d+(\.[0-9A-F]+)*$/ },
  { codec: 'vp9', encoder: 'libvpx-vp9', codecs: /^vp09\.00\.\d\d\.08$/ },
  { codec: 'av1', encoder: /libaom-av1|libsvtav1/, codecs: /^av01\.0\.\d\dM\.08$/ },
])('$codec', ({ codec, encoder, codecs }) => {
  const there = typeof encoder === 'string' ? listed.includes(encoder) : encoder.test(listed)

  test.skipIf(!there)(
    'is encoded frame by frame into a file and into a stream that names it right',
    async () => {
      const path = await clips.make({ name: `for-${codec}.mp4`, ...tiny })
      const file = { format: codec === 'hevc' ? 'mp4' : 'webm', codec }
      const stream = { format: 'dash', codec, audio: { codec: 'opus' } }
      const { outputs, fileOf, names } = await encode(path, { outputs: [file, stream] })
      expect(outputs).toMatchObject([
        { kind: 'video', codec, frameCount: 15 },
        { kind: 'rendition', codec, frameCount: 15, codecs: expect.stringMatching(codecs) },
        { kind: 'audio', codec: 'opus', codecs: 'opus' },
      ])
      const seen = await inspect(await fileOf(names[0] ?? ''))
      expect(seen.video).toMatchObject({ codec, pixelFormat: 'yuv420p', frameCount: 15 })
      expect(seen.audio?.codec).toBe(codec === 'hevc' ? 'aac' : 'opus')
    },
  )
})

describe('trim', () => {
  // Each picture is two steps brighter than the one before.
  const picture = 'nullsrc=size=64x36:rate=25:duration=4,geq=lum=2*N+20:cb=128:cr=128'
  const lossless = ['-c:v', 'libx264', '-preset', 'ultrafast', '-qp', '0', '-g', '40', '-pix_fmt', 'yuv420p']

  test.each(['mp4', 'mkv', 'ts'])('takes exactly the pictures of the part, from %s', async (container) => {
    const name = `brighter.${container}`
    const path = await clips.make({ name, picture, sound: false, options: lossless })
    const request = {
      outputs: [
        { format: 'mp4', crf: 5 },
        { format: 'hls', crf: 5 },
      ],
      trim: { start: 1.2, end: 2.4 },
    }
    const { fileOf, names } = await encode(path, request)
    const expected = (await brightnessOf(path)).slice(30, 60)
    for (const made of names.filter((each) => !each.startsWith('audio'))) {
      const file = await fileOf(made)
      const brightness = await brightnessOf(file)
      expect(brightness).toHaveLength(30)
      for (const [index, value] of brightness.entries()) {
        expect(Math.abs(value - (expected[index] ?? 0)), `picture ${index} of ${made}`).toBeLessThanOrEqual(1)
      }
      expect((await inspect(file)).video.durationSeconds).toBeCloseTo(1.2, 1)
    }
  })

  test('goes to the end when that is asked for, and is refused where there is no video any more', async () => {
    const path = await clips.make({ name: 'short.mp4', ...tiny })
    const { outputs } = await encode(path, { trim: { start: 0.4, end: 99 } })
    expect(outputs).toMatchObject([{ frameCount: 5 }])
    const beyond = await encodeHere(await readFile(path), {}, { request: { trim: { start: 2 } } })
    expect(failure(beyond)).toMatchObject({
      errorCode: 'invalid_trim',
      retry: false,
      message: expect.stringContaining('0.6'),
    })
  })

  test.each([
    { format: 'hls', from: 'ts' },
    { format: 'mp4', from: 'ts' },
    { format: 'webm', from: 'ts' },
  ])('in which no picture begins is refused, and the video is kept: $format from $from', async (row) => {
    const { format, from } = row
    const path = await clips.make({ name: `whole.${from}`, size: '64x36', seconds: 2, sound: false })
    const request = { outputs: [{ format }], trim: { start: 1.01, end: 1.03 } }
    const run = await encodeHere(await readFile(path), {}, { request })
    expect(failure(run)).toMatchObject({ errorCode: 'invalid_trim', retry: false })
    expect(run.objects.has('sources/1/source')).toBe(true)
  })

  test('is refused beyond the last picture, too, though there is sound, and the video is kept', async () => {
    const path = await clips.make({ name: 'sound-goes-on.mp4', ...outlasted })
    const run = await encodeHere(await readFile(path), {}, { request: { trim: { start: 4 } } })
    expect(failure(run)).toMatchObject({
      ...{ errorCode: 'invalid_trim', retry: false },
      message: expect.stringContaining('2.00'),
    })
    expect(run.objects.has('sources/1/source')).toBe(true)
  })

  test.each(['mp4', 'hls'])(
    'behind the end of the sound gives %s without it or is refused, and the video is kept',
    async (format) => {
      const picture = 'testsrc2=size=128x72:rate=25:duration=4'
      const path = await clips.make({ name: 'sound-ends.mp4', picture, seconds: 1 })
      const part = async (output: object) =>
        await encodeHere(
          await readFile(path),
          {},
          { request: { outputs: [{ format, ...output }], trim: { start: 2 } } },
        )
      const run = await part({})
      expect(failure(run)).toMatchObject({ errorCode: 'invalid_trim', retry: false })
      expect(run.objects.has('sources/1/source')).toBe(true)
      expect((await part({ audio: false })).outcome).toMatchObject({ kind: 'succeeded' })
    },
  )

  test.each([
    { format: 'mp4', from: 'mp4', end: 4, frameCount: 10 },
    { format: 'mp4', from: 'ts', end: 4, frameCount: 10 },
    { format: 'hls', from: 'mp4', end: 4, frameCount: expect.any(Number) },
    // The next picture begins there.
    { format: 'mp4', from: 'mp4', end: 6, frameCount: 10 },
    { format: 'mp4', from: 'mp4', end: null, frameCount: 20 },
  ])('may end while the picture stands still: $format from $from to $end', async (row) => {
    const { format, from, end, frameCount } = row
    // As of a screen on which nothing happens for five seconds.
    const still = ['-vf', "select='lt(t,0.99)+gte(t,5.99)'", '-vsync', 'vfr']
    const picture = 'testsrc2=size=64x36:rate=10:duration=7'
    const path = await clips.make({
      name: `still.${from}`,
      picture,
      sound: false,
      options: [...still, ...h264],
    })
    const request = { outputs: [{ format }], trim: { start: 0, ...(end === null ? {} : { end }) } }
    const run = await encodeHere(await readFile(path), {}, { request })
    expect(run.outcome).toMatchObject({
      kind: 'succeeded',
      result: { outputs: expect.arrayContaining([expect.objectContaining({ frameCount })]) },
    })
    expect(run.objects.has('sources/1/source')).toBe(true)
  })

  test.each(['mp4', 'hls'])('goes on to %s where the picture ends within the part', async (format) => {
    const path = await clips.make({ name: 'picture-ends.mp4', ...outlasted })
    const { outputs } = await encode(path, { outputs: [{ format }], trim: { start: 1, end: 5 } })
    expect(outputs[0]).toMatchObject({ frameCount: 25 })
  })
})

describe('a watermark', async () => {
  const key = 'sources/2/source'
  const path = await clips.make({
    name: 'grey.mp4',
    picture: 'color=gray:size=320x180:rate=25:duration=0.4',
    seconds: 0.4,
  })
  const logo = await readFile(
    await clips.make({
      name: 'logo.png',
      picture: 'color=red:size=40x20',
      sound: false,
      options: ['-frames:v', '1'],
    }),
  )

  test('stands at its place in every size, and nowhere else', async () => {
    const watermark = { key, position: 'top-right', width: 0.25, margin: 0.05 }
    const outputs = [{ format: 'mp4' }, { format: 'hls', height: 90 }]
    const { fileOf, names } = await encode(path, { outputs, watermark }, { [key]: logo })
    for (const [name = '', scale] of [
      [names[0], 1],
      [names[1], 0.5],
    ] as const) {
      const file = await fileOf(name)
      const redAt = async (x: number, y: number) => {
        const [red, green] = await colourAt(file, x * scale, y * scale)
        return red > 180 && green < 90
      }
      expect(await redAt(264, 36)).toBe(true)
      expect(await redAt(160, 90)).toBe(false)
      expect(await redAt(312, 36)).toBe(false)
    }
  })

  test('shows the video through it as far as is asked for', async () => {
    const watermark = { key, position: 'center', width: 0.5, opacity: 0.5 }
    const { fileOf } = await encode(path, { watermark }, { [key]: logo })
    const [red, green] = await colourAt(await fileOf('1080p.mp4'), 160, 90)
    expect(red).toBeGreaterThan(160)
    expect(red).toBeLessThan(220)
    expect(green).toBeGreaterThan(40)
  })

  test('that is no picture fails the job for good, and the video is kept', async () => {
    const objects = { [key]: Buffer.from('#EXTM3U\nfile:///etc/passwd\n') }
    const run = await encodeHere(await readFile(path), {}, { request: { watermark: { key } }, objects })
    expect(failure(run)).toMatchObject({ errorCode: 'invalid_watermark', retry: false })
    expect(run.objects.has('sources/1/source')).toBe(true)
  })

  test('of a video in pieces is made ready by those that show it, and fails them when it is no picture', async () => {
    const whole = await clips.make({ name: 'pieces.mp4', size: '64x36', seconds: 4, options: h264 })
    const request = { outputs: [{ format: 'hls' }], segments: 2, watermark: { key } }
    const { outcome } = await encodeHere(await readFile(whole), {}, { request })
    const parts = outcome.kind === 'waits' ? outcome.children : []
    const ends = []
    for (const { params } of parts) {
      const objects = { 'sources/1/source': await readFile(whole), [key]: 'no picture' }
      const run = await runJob(encodePart, PartParams.parse(params), { tools: knownTools, objects })
      ends.push(run.outcome)
    }
    const noPicture = expect.objectContaining({ errorCode: 'invalid_watermark', retry: false })
    expect(ends).toEqual([expect.objectContaining({ kind: 'succeeded' }), noPicture, noPicture])
  })
})

test('loudness comes to what EBU R128 asks for, or to what the client does', async () => {
  const soft = ['-af', 'volume=0.05', ...h264]
  const path = await clips.make({ name: 'soft.mp4', size: '64x36', seconds: 5, options: soft })
  for (const [loudness, expected] of [
    [true, -23],
    [{ lufs: -16 }, -16],
  ] as const) {
    const { fileOf } = await encode(path, { outputs: [{ format: 'mp4' }, { format: 'hls' }], loudness })
    for (const name of ['1080p.mp4', 'audio-aac-1.mp4']) {
      expect(Math.abs((await loudnessOf(await fileOf(name))) - expected)).toBeLessThan(1)
    }
  }
})

test('sound beyond full scale is brought down, too', async () => {
  const loud = [...h264, '-af', 'volume=40dB,tremolo=f=0.3:d=0.6,pan=stereo|c0=c0|c1=c0', '-c:a', 'pcm_s16le']
  const path = await clips.make({ name: 'loud.mkv', size: '64x36', seconds: 5, options: loud })
  expect(await loudnessOf(path)).toBeGreaterThan(0.5)
  const { fileOf } = await encode(path, { loudness: true })
  expect(Math.abs((await loudnessOf(await fileOf('1080p.mp4'))) + 23)).toBeLessThan(1)
})

/** Integrated, in LUFS. */
async function loudnessOf(path: string): Promise<number> {
  const stats = 'ebur128=metadata=1,ametadata=print:key=lavfi.r128.I:file=-'
  const said = (await testFfmpeg(['-v', 'error', '-i', path, '-af', stats, '-f', 'null', '-'])).toString()
  return Number(said.trim().split('=').at(-1))
}

test('silence has no loudness to change, and is encoded as it is', async () => {
  const silent = ['-af', 'volume=0', ...h264]
  const path = await clips.make({ name: 'silence.mp4', size: '64x36', seconds: 1, options: silent })
  const { outputs } = await encode(path, { loudness: true })
  expect(outputs).toMatchObject([{ audioCodec: 'aac' }])
})

describe('subtitles', async () => {
  const srt = '1\n00:00:00,500 --> 00:00:02,000\nHello\n\n2\n00:00:02,500 --> 00:00:03,500\n<i>there</i>\n'
  const file = await clips.write('words.srt', srt)
  const path = await clips.make({
    ...{ name: 'words.mkv', size: '64x36', seconds: 4, sound: false },
    options: [
      '-i',
      file,
      ...['-map', '0', '-map', '1'],
      ...h264,
      '-c:s',
      'srt',
      '-metadata:s:s:0',
      'language=fre',
    ],
  })

  test('come along as WebVTT, and in the file itself', async () => {
    const { outputs, textOf, fileOf } = await encode(path, { outputs: [{ format: 'mp4' }] })
    expect(outputs[1]).toMatchObject({ kind: 'subtitles', language: 'fre' })
    expect(textOf('subtitles-1.vtt')).toMatch(
      /^WEBVTT\n\n00:00\.500 --> 00:02\.000\nHello\n\n00:02\.500 --> 00:03\.500\n/,
    )
    const shown = [
      '-show_entries',
      'stream=codec_name:stream_tags=language',
      '-select_streams',
      's',
      '-of',
      'csv=p=0',
    ]
    expect((await testFfprobe(['-v', 'error', ...shown, await fileOf('1080p.mp4')])).trim()).toBe(
      'mov_text,fre',
    )
  })

  test('keep to the picture when a part is taken, cut where it is cut', async () => {
    const { textOf } = await encode(path, { trim: { start: 1, end: 3 } })
    expect(textOf('subtitles-1.vtt')).toBe(
      'WEBVTT\n\n00:00:00.000 --> 00:00:01.000\nHello\n\n00:00:01.500 --> 00:00:02.000\n<i>there</i>\n',
    )
  })

  test('that are not UTF-8 keep their accents, line by line', async () => {
    const cues =
      '1\n00:00:00,500 --> 00:00:02,000\n\x93O\xf9 ?\x94\nCaf\xc3\xa9\n\n2\n00:00:02,500 --> 00:00:03,500\nthere\n'
    const western = await clips.write('western.srt', Buffer.from(cues, 'latin1'))
    const options = ['-i', western, '-map', '0', '-map', '1', ...h264, '-c:s', 'copy']
    const named = await clips.make({ name: 'western.mkv', size: '64x36', seconds: 4, sound: false, options })
    const { skipped, textOf } = await encode(named, {})
    expect(skipped).toEqual([])
    expect(textOf('subtitles-1.vtt')).toMatch(/\n“Où \?”\nCafé\n\n[^\n]*\nthere\n/)
  })

  test('are left out on request', async () => {
    expect((await encode(path, { subtitles: false })).names).toEqual(['1080p.mp4'])
  })
})

const filters = (await testFfmpeg(['-v', 'error', '-filters'])).toString()

test.skipIf(!/ zscale /.test(filters))(
  'HDR is brought down to what every screen shows, and says so',
  async () => {
    const tags = ['-color_trc', 'smpte2084', '-color_primaries', 'bt2020', '-colorspace', 'bt2020nc']
    // White of 203 candelas, as HDR has it (ITU-R BT.2408), is not the brightest there is.
    const picture = 'color=0x949494:size=64x36:rate=25:duration=0.4'
    const path = await clips.make({ name: 'hdr.mp4', picture, sound: false, options: [...h264, ...tags] })
    const { fileOf } = await encode(path, {})
    const file = await fileOf('1080p.mp4')
    const shown = ['-show_entries', 'stream=color_transfer,color_primaries,color_space', '-of', 'csv=p=0']
    expect((await testFfprobe(['-v', 'error', ...shown, file])).trim()).toBe('bt709,bt709,bt709')
    const [red, green, blue] = await colourAt(file, 30, 18)
    expect(Math.max(red, green, blue) - Math.min(red, green, blue)).toBeLessThan(6)
    expect(red).toBeGreaterThan(160)
    expect(red).toBeLessThan(250)
  },
)

test('red of a source of red, green and blue is the same red where players take HD to have another matrix', async () => {
  const picture = 'color=red:size=64x36:rate=25:duration=0.4'
  const path = await clips.make({
    name: 'rgb.mov',
    picture,
    sound: false,
    options: ['-c:v', 'png', '-pix_fmt', 'rgb24'],
  })
  const { fileOf } = await encode(path, {})
  const file = await fileOf('1080p.mp4')
  const shown = ['-show_entries', 'stream=color_transfer,color_primaries,color_space', '-of', 'csv=p=0']
  expect((await testFfprobe(['-v', 'error', ...shown, file])).trim()).toBe('bt709,bt709,bt709')
  // Of ITU-R BT.709; by that of SD it would be 81.
  const [luma] = await testFfmpeg(['-v', 'error', '-i', file, '-frames:v', '1', '-f', 'rawvideo', 'pipe:1'])
  expect(luma).toBeGreaterThan(60)
  expect(luma).toBeLessThan(66)
})

describe('pictures', async () => {
  const path = await clips.make({ name: 'long.mp4', size: '128x72', framesPerSecond: 5, seconds: 13 })

  test('alone: thumbnails evenly spread, a storyboard with a cue for every moment, and no video', async () => {
    const request = {
      outputs: [],
      poster: true,
      thumbnails: { count: 3, width: 64 },
      storyboard: { intervalSeconds: 4 },
    }
    const { outputs, names, textOf, fileOf } = await encode(path, request)
    expect(names).toEqual([
      ...['poster.jpg', 'thumbnail-1.jpg', 'thumbnail-2.jpg', 'thumbnail-3.jpg'],
      ...['storyboard.vtt', 'storyboard-1.jpg'],
    ])
    expect(outputs.slice(1, 4)).toMatchObject([
      { width: 64, height: 36, atSeconds: expect.closeTo(13 / 6, 1) },
      { atSeconds: expect.closeTo(6.5, 1) },
      { atSeconds: expect.closeTo((5 * 13) / 6, 1) },
    ])
    const cues = textOf('storyboard.vtt').trim().split('\n\n').slice(1)
    expect(cues).toEqual([
      '00:00:00.000 --> 00:00:04.000\nstoryboard-1.jpg#xywh=0,0,128,72',
      '00:00:04.000 --> 00:00:08.000\nstoryboard-1.jpg#xywh=128,0,128,72',
      '00:00:08.000 --> 00:00:12.000\nstoryboard-1.jpg#xywh=256,0,128,72',
      expect.stringMatching(/^00:00:12\.000 --> 00:00:13\.\d{3}\nstoryboard-1\.jpg#xywh=384,0,128,72$/),
    ])
    const sheet = await inspectPicture(await fileOf('storyboard-1.jpg'))
    expect(sheet).toBe(`mjpeg,${4 * 128},72`)
  })

  test('of a video of a few frames are there too', async () => {
    const short = await clips.make({ name: 'blink.mp4', size: '64x36', seconds: 0.12, sound: false })
    const { names } = await encode(short, { poster: true, thumbnails: 2, storyboard: true })
    expect(names).toEqual([
      ...['1080p.mp4', 'poster.jpg', 'thumbnail-1.jpg', 'thumbnail-2.jpg'],
      ...['storyboard.vtt', 'storyboard-1.jpg'],
    ])
  })

  test.each(['mp4', 'hls'])('are of the picture where the sound of %s goes on', async (format) => {
    const clip = await clips.make({ name: 'goes-on.mp4', ...outlasted })
    const request = {
      outputs: [{ format }],
      poster: { atSeconds: 5 },
      thumbnails: 4,
      storyboard: { intervalSeconds: 2 },
    }
    const { outputs, names, textOf, fileOf } = await encode(clip, request)
    const pictures = names.filter((name) => name.endsWith('.jpg'))
    expect(pictures).toHaveLength(6)
    for (const name of pictures) expect(await inspectPicture(await fileOf(name))).toContain('mjpeg,128,')
    expect(outputs.filter(({ kind }) => kind === 'thumbnail')).toMatchObject(
      [0.25, 0.75, 1.25, 1.75].map((seconds) => ({ atSeconds: expect.closeTo(seconds, 1) })),
    )
    expect(outputs.find(({ kind }) => kind === 'poster')).toMatchObject({ atSeconds: expect.closeTo(2, 1) })
    expect(textOf('storyboard.vtt').trim()).toMatch(
      /^WEBVTT\n\n00:00:00\.000 --> 00:00:0[12]\.\d{3}\nstoryboard-1\.jpg#xywh=0,0,128,72$/,
    )
  })

  test('fill as many sheets as the picture has moments for, however long the sound', async () => {
    const picture = 'testsrc2=size=32x18:rate=2:duration=100'
    const clip = await clips.make({ name: 'much-sound.mp4', picture, seconds: 210 })
    const { names } = await encode(clip, { outputs: [], storyboard: { intervalSeconds: 2 } })
    expect(names).toEqual(['storyboard.vtt', 'storyboard-1.jpg'])
  })
})

async function inspectPicture(path: string): Promise<string> {
  const shown = ['-show_entries', 'stream=codec_name,width,height', '-of', 'csv=p=0']
  return (await testFfprobe(['-v', 'error', ...shown, path])).trim()
}

describe('sound', () => {
  test.each([
    {
      what: 'of one channel stays so',
      options: ['-ac', '1', '-ar', '22050'],
      channels: 1,
      sampleRate: 48_000,
    },
    { what: 'of six channels becomes two', options: ['-ac', '6'], channels: 2, sampleRate: 48_000 },
    {
      what: 'of compact discs keeps its rate',
      options: ['-ac', '2', '-ar', '44100'],
      channels: 2,
      sampleRate: 44_100,
    },
  ])('$what, as long as it was', async ({ options, channels, sampleRate }) => {
    const name = `sound-${sampleRate}-${channels}-${options[1]}.mkv`
    const path = await clips.make({ name, size: '64x36', seconds: 3, options: [...h264, ...options] })
    const { outputs } = await encode(path, { outputs: [{ format: 'hls' }] })
    const sound = outputs.find(({ kind }) => kind === 'audio')
    expect(sound).toMatchObject({ channels, sampleRate })
    expect(Math.abs(Number(sound?.durationSeconds) - 3)).toBeLessThan(0.1)
  })
})
