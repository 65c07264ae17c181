/** Videos that are encoded in pieces, by two workers: every picture is there once, and what comes out is as if in one go. */
import { readFile, writeFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { removeStrayOutputs } from '../../core/upkeep/stray-outputs.ts'
import { type Recipe, testClips, testFfprobe, turn } from '../support/clips.ts'
import { codedPicture, numbersOf } from '../support/coded-frames.ts'
import { mean, similarities, similarity, soundOf } from '../support/comparison.ts'
import { startServer } from '../support/server.ts'
import { encodeByLink, uploadFile } from '../support/video-client.ts'

const server = await startServer({ workers: 2, environment: { MAX_CONCURRENT_EXECUTIONS: '1' } })
const clips = await testClips()
const seconds = 6

const Range = z.tuple([z.int(), z.int()])
const Result = z.object({
  segments: z.object({ count: z.int(), because: z.string().optional() }),
  skipped: z.array(z.object({ name: z.string() })).default([]),
  outputs: z.array(
    z.looseObject({ name: z.string(), key: z.string(), sizeBytes: z.int(), indexRange: Range.optional() }),
  ),
})

interface Encoded {
  id: string
  segments: { count: number; because?: string | undefined }
  skipped: { name: string }[]
  sizeOf(name: string): number
  /** @returns where the output lies, as FFmpeg of any age reads it: without the index of its segments */
  fetch(name: string): Promise<string>
}

async function encode(path: string, settings: Record<string, unknown>): Promise<Encoded> {
  const job = await encodeByLink(server, path, settings)
  const { segments, skipped, outputs } = Result.parse((await job.reaches('succeeded', 120)).result)
  const find = (name: string) => {
    const output = outputs.find((each) => each.name === name)
    if (output === undefined) throw new Error(`there is no ${name}`)
    return output
  }
  return {
    id: job.id,
    segments,
    skipped,
    sizeOf: (name) => find(name).sizeBytes,
    fetch: async (name) => {
      const { key, indexRange = [0, 0] } = find(name)
      const object = await server.bucket.storage.get(key)
      if (object === null || object === 'unsatisfiable') throw new Error(`${name} is not in storage`)
      const bytes = Buffer.from(await new Response(object.body).bytes())
      const [from, to] = indexRange
      return await clips.write(
        `${job.id}-${name}`,
        Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)]),
      )
    },
  }
}

const x264 = (...more: string[]) => [
  ...['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-g', '75', '-bf', '3'],
  ...[...more, '-c:a', 'aac'],
]
const file = 'h264-180p.mp4'
const rendition = 'video-h264-180p.mp4'
const settings = {
  outputs: [
    { format: 'mp4', height: 180 },
    { format: 'hls', height: 180 },
  ],
}
/** Where the file alone is looked at. */
const fileAlone = { outputs: [{ format: 'mp4', height: 180 }] }
const picture = codedPicture({ seconds })
const plain = await clips.make({ name: 'plain.mp4', picture, seconds, options: x264() })
const sources: (Recipe & { what: string })[] = [
  { what: 'MP4', name: 'b-frames.mp4', options: x264() },
  {
    what: 'a transport stream with open groups of pictures',
    name: 'open.ts',
    options: x264('-x264-params', 'open-gop=1'),
  },
  {
    what: 'Matroska at a rate that is no whole number',
    name: 'ntsc.mkv',
    picture: codedPicture({ seconds, rate: '30000/1001' }),
    options: x264(),
  },
  {
    what: 'frames at no constant rate',
    name: 'varying.mp4',
    options: ['-vf', "select='not(between(mod(n\\,20)\\,3\\,9))'", '-vsync', 'vfr', ...x264()],
  },
]

describe.each(sources)('$what', (recipe) => {
  test('comes out in pieces as it does in one go: no picture lost or repeated, none worse, the sound the same', async () => {
    const path = await clips.make({ picture, seconds, ...recipe })
    const [divided, whole] = await Promise.all([
      encode(path, { ...settings, segments: 3 }),
      encode(path, { ...settings, segments: 'off' }),
    ])
    expect(divided.segments).toEqual({ count: 3 })
    expect(whole.segments).toMatchObject({ count: 1 })
    for (const name of [file, rendition]) {
      const [inPieces, inOne] = [await divided.fetch(name), await whole.fetch(name)]
      const numbers = await numbersOf(inPieces)
      expect(numbers.length).toBeGreaterThan(100)
      expect(numbers).toEqual(await numbersOf(inOne))
      expect(numbers).toEqual(numbers.toSorted((a, b) => a - b))
      expect(Math.abs(divided.sizeOf(name) / whole.sizeOf(name) - 1)).toBeLessThan(0.03)
      expect(await similarity(inPieces, inOne)).toBeGreaterThan(0.98)
    }
    expect(await soundOf(await divided.fetch(file))).toEqual(await soundOf(await whole.fetch(file)))
  }, 240_000)
})

test('pieces are as near to the source as one go is, and at their joins no less than inside', async () => {
  // Noise that never repeats: the encoder has something to lose. As long as that no group of pictures is cut short.
  const path = await clips.make({
    name: 'noisy.mp4',
    picture: `${picture},noise=alls=20:allf=t`,
    seconds,
    sound: false,
    options: x264('-crf', '1'),
  })
  const [divided, whole] = await Promise.all([
    encode(path, { ...fileAlone, segments: 3 }),
    encode(path, { ...fileAlone, segments: 'off' }),
  ])
  const inPieces = await similarities(await divided.fetch(file), path)
  const inOne = await similarities(await whole.fetch(file), path)
  expect(Math.abs(mean(inPieces) - mean(inOne))).toBeLessThan(0.002)
  const joins = [60, 120]
  const isNear = (frame: number) => joins.some((join) => Math.abs(frame - join) <= 3)
  const atJoins = inPieces.filter((_, frame) => isNear(frame))
  const inside = inPieces.filter((_, frame) => !isNear(frame))
  expect(atJoins).toHaveLength(14)
  expect(mean(atJoins)).toBeGreaterThan(mean(inside) - 0.002)
}, 240_000)

test('a watermark is in every piece, and the sound is as loud as it was to be', async () => {
  const mark = await clips.make({
    ...{ name: 'mark.png', picture: 'color=red:size=64x64', sound: false, options: ['-frames:v', '1'] },
  })
  const { uploadId } = await uploadFile(server, mark, 'image/png')
  const wanted = { ...fileAlone, loudness: true, watermark: { uploadId, width: 0.3 } }
  const divided = await encode(plain, { ...wanted, segments: 2 })
  const whole = await encode(plain, { ...wanted, segments: 'off' })
  expect(divided.segments).toEqual({ count: 2 })
  expect(await similarity(await divided.fetch(file), await whole.fetch(file))).toBeGreaterThan(0.98)
  expect(await soundOf(await divided.fetch(file))).toEqual(await soundOf(await whole.fetch(file)))
})

test('a picture that phones have turned is upright in every piece', async () => {
  const path = await clips.make({ name: 'turned.mp4', picture, seconds, sound: false, options: x264() })
  await turn(path, 90)
  const divided = await encode(path, { ...fileAlone, segments: 2 })
  const whole = await encode(path, { ...fileAlone, segments: 'off' })
  expect(divided.segments).toEqual({ count: 2 })
  expect(await similarity(await divided.fetch(file), await whole.fetch(file))).toBeGreaterThan(0.98)
})

test('all sounds of a file stay, with their channels and languages', async () => {
  // FFmpeg of 2018 gives the first frame of a Matroska file with sound a place off the grid: files stay whole then.
  const path = await clips.make({
    ...{ name: 'sounds.mp4', picture, seconds },
    options: [
      ...['-f', 'lavfi', '-i', `sine=duration=${seconds}`, '-map', '0:v', '-map', '1:a', '-map', '2:a'],
      ...['-metadata:s:a:0', 'language=eng', '-metadata:s:a:1', 'language=ger', '-ac:a:1', '6', ...x264()],
    ],
  })
  const audio = { tracks: 'all', channels: 6 }
  const divided = await encode(path, { outputs: [{ format: 'mp4', height: 180, audio }], segments: 2 })
  expect(divided.segments).toEqual({ count: 2 })
  const shown = ['-select_streams', 'a', '-show_entries', 'stream=channels:stream_tags=language']
  const listed = await testFfprobe(['-v', 'error', ...shown, '-of', 'csv=p=0', await divided.fetch(file)])
  expect(listed.trim().split('\n')).toEqual(['1,eng', '6,ger'])
})

test('subtitles that can not be read are named, though it was noticed before the video was divided', async () => {
  const words = await clips.write('words.srt', '1\n00:00:00,000 --> 00:00:05,000\nHello\n')
  const path = await clips.make({
    ...{ name: 'unreadable-words.mp4', picture, seconds, sound: false },
    options: ['-i', words, '-map', '0', '-map', '1', ...x264(), '-c:s', 'mov_text'],
  })
  // The sizes of the last track's samples (stsz): of its text one byte is left, which is not even its length.
  const bytes = await readFile(path)
  const at = bytes.lastIndexOf('stsz')
  for (let entry = at + 16; entry < at + 16 + 4 * bytes.readUInt32BE(at + 12); entry += 4) {
    if (bytes.readUInt32BE(entry) > 2) bytes.writeUInt32BE(1, entry)
  }
  await writeFile(path, bytes)
  const divided = await encode(path, { ...fileAlone, segments: 2 })
  expect(divided.segments).toEqual({ count: 2 })
  expect(divided.skipped).toMatchObject([{ name: 'subtitles-1.vtt' }])
})

test('what the parts stored is gone once the video is there, and only that', async () => {
  const { id } = await encode(plain, { ...settings, segments: 3 })
  const stored = async () => (await server.bucket.keys()).filter((key) => key.startsWith('outputs/'))
  const ofVideo = (await stored()).filter((key) => key.startsWith(`outputs/${id}/`))
  await removeStrayOutputs(server.database.sql, server.bucket.storage, { limit: 1000 })
  const { jobs } = await (await server.request('GET', `/v1/jobs?parentId=${id}`)).json()
  expect(jobs).toHaveLength(4)
  const left = await stored()
  expect(left.filter((key) => key.startsWith(`outputs/${id}/`))).toEqual(ofVideo)
  for (const { jobId } of jobs) expect(left.filter((key) => key.includes(jobId))).toEqual([])
})
