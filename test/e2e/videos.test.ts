import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { boxes, type Clips, colourAt, h264, inspect, type Recipe, testClips, turn } from '../support/clips.ts'
import { startServer, type TestJob } from '../support/server.ts'
import { encodeByForm, encodeByLink, formWith, sendForm, statusOf } from '../support/video-client.ts'

const server = await startServer()
const clips: Clips = await testClips()

interface Row extends Recipe {
  what: string
  by: typeof encodeByForm
  /** Of the source, as the answer names them: proof that the clip is what the row says. */
  container: string
  codec: string
  audioCodec: string | null
  /** Of the output. */
  width: number
  height: number
}

const rows: Row[] = [
  {
    what: 'MP4 with H.264 and AAC',
    ...{ name: 'clip.mp4', by: encodeByForm, container: 'mp4', codec: 'h264', audioCodec: 'aac' },
    ...{ width: 320, height: 180 },
  },
  {
    what: 'QuickTime with MPEG-4 and uncompressed sound',
    ...{ name: 'clip.mov', by: encodeByLink, container: 'mov', codec: 'mpeg4', audioCodec: 'pcm_s16le' },
    ...{ width: 320, height: 180, options: ['-c:v', 'mpeg4', '-c:a', 'pcm_s16le'] },
  },
  {
    what: 'Matroska with six channels of sound',
    ...{ name: 'clip.mkv', by: encodeByForm, container: 'matroska', codec: 'h264', audioCodec: 'ac3' },
    ...{ width: 320, height: 180, options: [...h264, '-c:a', 'ac3', '-ac', '6'] },
  },
  {
    what: 'WebM with VP9 and Opus',
    ...{ name: 'clip.webm', by: encodeByLink, container: 'webm', codec: 'vp9', audioCodec: 'opus' },
    ...{ width: 320, height: 180 },
    options: ['-c:v', 'libvpx-vp9', '-deadline', 'realtime', '-cpu-used', '8', '-c:a', 'libopus'],
  },
  {
    what: 'AVI with MPEG-4 and one channel of sound at a rate that is not kept',
    ...{ name: 'clip.avi', by: encodeByForm, container: 'avi', codec: 'mpeg4', audioCodec: 'pcm_s16le' },
    ...{ width: 320, height: 180 },
    options: ['-c:v', 'mpeg4', '-c:a', 'pcm_s16le', '-ac', '1', '-ar', '22050'],
  },
  {
    what: 'a transport stream with MPEG-2, which begins later than zero',
    ...{ name: 'clip.ts', by: encodeByForm, container: 'mpegts', codec: 'mpeg2video', audioCodec: 'mp2' },
    ...{ width: 320, height: 180, options: ['-c:v', 'mpeg2video', '-c:a', 'mp2'] },
  },
  {
    what: 'Flash video',
    ...{ name: 'clip.flv', by: encodeByLink, container: 'flv', codec: 'flv1', audioCodec: 'mp3' },
    ...{ width: 320, height: 180, options: ['-c:v', 'flv', '-c:a', 'libmp3lame', '-ar', '44100'] },
  },
  {
    what: 'a video without sound',
    ...{
      name: 'silent.mp4',
      by: encodeByLink,
      container: 'mp4',
      codec: 'h264',
      audioCodec: null,
      sound: false,
    },
    ...{ width: 320, height: 180 },
  },
  {
    what: 'a portrait video',
    ...{ name: 'portrait.mp4', by: encodeByForm, container: 'mp4', codec: 'h264', audioCodec: 'aac' },
    ...{ size: '180x320', width: 180, height: 320 },
  },
  {
    what: 'a video of odd width and height',
    ...{ name: 'odd.mkv', by: encodeByForm, container: 'matroska', codec: 'ffv1', audioCodec: 'aac' },
    ...{ size: '321x181', width: 320, height: 180, options: ['-c:v', 'ffv1', '-c:a', 'aac'] },
  },
  {
    what: 'a video whose pixels are not square',
    ...{ name: 'wide.mp4', by: encodeByLink, container: 'mp4', codec: 'h264', audioCodec: 'aac' },
    ...{ size: '160x180', width: 320, height: 180, options: ['-vf', 'setsar=2', ...h264] },
  },
  {
    what: 'a video with 4:4:4 colour at 29.97 frames a second',
    ...{ name: 'colour.mp4', by: encodeByForm, container: 'mp4', codec: 'h264', audioCodec: 'aac' },
    ...{ width: 320, height: 180, options: ['-r', '30000/1001', ...h264, '-pix_fmt', 'yuv444p'] },
  },
]

test.each(rows)('$what becomes MP4 with H.264 and AAC, frame by frame', async (row) => {
  const path = await clips.make(row)
  const source = await inspect(path)
  const job = await row.by(server, path)
  await job.reaches('succeeded')
  const { status, encoded, path: output } = await published(job)

  expect(status.source?.container).toContain(row.container)
  expect(status.source).toMatchObject({ videoCodec: row.codec, audioCodec: row.audioCodec })
  expect(encoded.video).toMatchObject({
    codec: 'h264',
    pixelFormat: 'yuv420p',
    width: row.width,
    height: row.height,
    sampleAspectRatio: '1:1',
    frameCount: source.video.frameCount,
  })
  expect(encoded.audio?.codec ?? null).toBe(row.audioCodec === null ? null : 'aac')
  expect(encoded.audio?.channels ?? 0).toBeLessThanOrEqual(2)
  const frame = 1 / source.video.framesPerSecond
  expect(Math.abs(encoded.video.durationSeconds - source.video.durationSeconds)).toBeLessThanOrEqual(frame)
  expect(Math.abs(encoded.durationSeconds - source.durationSeconds)).toBeLessThanOrEqual(frame)

  const types = boxes(await Bun.file(output).bytes()).map(({ type }) => type)
  expect(types).toContain('moov')
  expect(types.indexOf('moov'), 'plays before it is loaded').toBeLessThan(types.indexOf('mdat'))
  expect(await server.bucket.keys()).toEqual(
    expect.arrayContaining([expect.stringMatching(`^outputs/${job.id}/\\d+/1080p\\.mp4$`)]),
  )
})

/** Downloads what the job published, both ways, and checks it against what the status says of it. */
async function published(job: TestJob) {
  const status = await statusOf(server, job)
  const url = `/v1/videos/${job.id}/download`
  expect(status).toMatchObject({ status: 'succeeded', downloadUrl: url })
  const [described, ...others] = status.outputs ?? []
  expect(others).toEqual([])

  const redirect = await server.request('GET', url)
  expect(redirect.status).toBe(302)
  const bytes = await (await fetch(`${server.url}${url}`)).bytes()
  expect(described).toMatchObject({
    sizeBytes: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    url,
  })
  const direct = await server.request('GET', `${url}?redirect=false`)
  expect(direct.status).toBe(200)
  expect(Buffer.from(await direct.bytes()).equals(bytes), 'both ways give the same bytes').toBe(true)

  const path = await clips.write(`${job.id}.mp4`, bytes)
  const encoded = await inspect(path)
  expect(described).toMatchObject({ codec: encoded.video.codec, frameCount: encoded.video.frameCount })
  expect(described).toMatchObject({ width: encoded.video.width, height: encoded.video.height })
  return { status, encoded, path }
}

test.each([
  { degrees: 90, size: '180x320', red: 'above', at: [90, 10] },
  { degrees: 180, size: '320x180', red: 'on the right', at: [310, 90] },
  { degrees: 270, size: '180x320', red: 'below', at: [90, 310] },
] as const)('a picture to be turned by $degrees° is turned: what was on the left is $red', async (row) => {
  const halves = ['red', 'blue'].map((colour) => `color=${colour}:size=160x180:rate=25:duration=1`)
  const picture = `${halves[0]}[l];${halves[1]}[r];[l][r]hstack`
  const path = await clips.make({ name: `turned-${row.degrees}.mov`, picture, seconds: 1 })
  await turn(path, row.degrees)
  const job = await encodeByLink(server, path)
  await job.reaches('succeeded')

  const { encoded, path: output } = await published(job)
  expect(`${encoded.video.width}x${encoded.video.height}`).toBe(row.size)
  const [red, , blue] = await colourAt(output, row.at[0], row.at[1])
  expect(red).toBeGreaterThan(200)
  expect(blue).toBeLessThan(50)
})

test('a recording of variable frame rate keeps its frames and their times', async () => {
  // Of the second half of the clip only every fifth frame is there, as when a screen stands still.
  const sparse = "select='lt(t,1)+not(mod(n,5))'"
  const options = ['-vf', sparse, ...h264]
  const path = await clips.make({ name: 'sparse.mkv', sound: false, options })
  const source = await inspect(path)
  expect(source.video.frameCount).toBe(30)
  const job = await encodeByForm(server, path)
  await job.reaches('succeeded')
  const { encoded } = await published(job)
  expect(encoded.video.frameCount).toBe(30)
  const frame = 1 / 25
  expect(Math.abs(encoded.video.durationSeconds - source.video.durationSeconds)).toBeLessThanOrEqual(frame)
})

test('a WebM that was streamed and does not say how long it is, as browsers record it, is encoded whole', async () => {
  const options = ['-c:v', 'libvpx', '-deadline', 'realtime', '-cpu-used', '8', '-an', '-live', '1']
  const path = await clips.make({ name: 'streamed.webm', sound: false, options })
  const source = await inspect(path)
  expect(source.durationSeconds, 'announces no duration').toBeNaN()
  const job = await encodeByForm(server, path)
  await job.reaches('succeeded')
  const { encoded, status } = await published(job)
  expect(encoded.video.frameCount).toBe(source.video.frameCount)
  expect(encoded.durationSeconds).toBeCloseTo(2, 1)
  expect(status.progress).toMatchObject({ percent: 100 })
})

describe('quality', () => {
  test.each([
    { what: 'a larger source', size: '1920x1080', quality: '720p', expected: '1280x720' },
    { what: 'a larger portrait', size: '1080x1920', quality: '720p', expected: '720x1280' },
    { what: 'a larger source of another aspect', size: '1920x800', quality: '720p', expected: '1280x534' },
    { what: 'a smaller source', size: '640x360', quality: '4k', expected: '640x360' },
  ])('$what ($size) becomes $expected at $quality', async ({ size, quality, expected }) => {
    const path = await clips.make({ name: `${size}.mp4`, size, seconds: 0.4, sound: false })
    const job = await encodeByForm(server, path, { quality })
    await job.reaches('succeeded')
    const { encoded, status } = await published(job)
    expect(`${encoded.video.width}x${encoded.video.height}`).toBe(expected)
    expect(status.outputFilename).toBe(`${size}-${quality}.mp4`)
  })
})

describe('download', () => {
  test('a range of the bytes is given when asked for, directly and over the redirect', async () => {
    const path = await clips.make({ name: 'ranges.mp4', seconds: 0.4 })
    const job = await encodeByForm(server, path)
    await job.reaches('succeeded')
    const url = `${server.url}/v1/videos/${job.id}/download`
    const whole = await (await fetch(url)).bytes()
    for (const way of [url, `${url}?redirect=false`]) {
      const middle = await fetch(way, { headers: { range: 'bytes=100-299' } })
      expect(middle.status).toBe(206)
      expect(middle.headers.get('content-range')).toBe(`bytes 100-299/${whole.length}`)
      expect(middle.headers.get('content-length')).toBe('200')
      expect(Buffer.from(await middle.bytes()).equals(whole.subarray(100, 300))).toBe(true)
      const end = await fetch(way, { headers: { range: `bytes=${whole.length - 50}-` } })
      expect(Buffer.from(await end.bytes()).equals(whole.subarray(-50))).toBe(true)
      const beyond = await fetch(way, { headers: { range: `bytes=${whole.length}-` } })
      expect(beyond.status).toBe(416)
      await beyond.text()
    }
  })

  test('a browser saves the file under the name it came with, and plays it as what it is', async () => {
    const path = await clips.make({ name: 'Überflug (1).mp4', seconds: 0.4 })
    const job = await encodeByForm(server, path, { quality: '720p' })
    await job.reaches('succeeded')
    expect(await statusOf(server, job)).toMatchObject({ outputFilename: 'Überflug (1)-720p.mp4' })
    const url = `${server.url}/v1/videos/${job.id}/download`
    for (const way of [url, `${url}?redirect=false`]) {
      const response = await fetch(way)
      expect(response.headers.get('content-type')).toBe('video/mp4')
      const disposition = response.headers.get('content-disposition')
      expect(disposition).toContain("filename*=UTF-8''%C3%9Cberflug%20%281%29-720p.mp4")
      await response.arrayBuffer()
    }
  })
})

test('the output is made without what the source says about place and maker', async () => {
  const place = ['-metadata', 'location=+47.3769+008.5417/', '-metadata', 'title=secret']
  const path = await clips.make({ name: 'tagged.mp4', seconds: 0.4, options: [...h264, ...place] })
  expect(Buffer.from(await Bun.file(path).bytes()).includes('secret')).toBe(true)
  const job = await encodeByForm(server, path)
  await job.reaches('succeeded')
  const { path: output } = await published(job)
  expect(Buffer.from(await Bun.file(output).bytes()).includes('secret')).toBe(false)
})

test('fields of the form may come before or after the file', async () => {
  const path = await clips.make({ name: 'order.mp4', size: '1920x1080', seconds: 0.4, sound: false })
  const after = await formWith(path, { quality: '720p', priority: '7' })
  const before = new FormData()
  before.set('quality', '720p')
  before.set('priority', '7')
  before.set('video', Bun.file(path) as Blob, 'order.mp4')
  for (const form of [after, before]) {
    const response = await sendForm(server, form)
    expect(response.status).toBe(201)
    const job = server.job((await response.json()).jobId)
    expect(await job.read()).toMatchObject({ priority: 7, params: { quality: '720p' } })
    await job.reaches('succeeded')
  }
})
