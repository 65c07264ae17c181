import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { boxes, type Clips, colourAt, h264, inspect, type Recipe, testClips, turn } from '../support/clips.ts'
import { formParts } from '../support/raw-request.ts'
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

  test('who asks for the head alone gets that, and keeps no connection to the storage', async () => {
    const path = await clips.make({ name: 'head.mp4', size: '64x36', seconds: 0.4 })
    const job = await encodeByForm(server, path)
    await job.reaches('succeeded')
    const sizeBytes = 4 * 1024 ** 2
    await replaceOutput(job, sizeBytes)
    const url = `${server.url}/v1/videos/${job.id}/download?redirect=false`
    const ask = (method: string, headers: Record<string, string> = {}) =>
      fetch(url, { method, headers, signal: AbortSignal.timeout(30_000) })

    const whole = await ask('GET')
    expect((await whole.bytes()).length).toBe(sizeBytes)
    const shown = ['content-type', 'content-disposition', 'accept-ranges', 'content-range']
    const headersOf = (answer: Response) => shown.map((name) => [name, answer.headers.get(name)])
    const expectHead = async (head: Response) => {
      expect(head.status).toBe(200)
      expect(headersOf(head)).toEqual(headersOf(whole))
      // Bun sends what streams in chunks, without a length.
      expect(head.headers.get('content-length')).toBe(String(sizeBytes))
      expect(await head.text()).toBe('')
    }
    // More than the storage's client has connections.
    for (let count = 0; count < 60; count++) await expectHead(await ask('HEAD'))
    // Ranges are of GET alone: RFC 9110, 14.2.
    await expectHead(await ask('HEAD', { range: 'bytes=0-9' }))

    expect((await fetch(`${server.url}/readyz`, { signal: AbortSignal.timeout(30_000) })).status).toBe(200)
    expect((await (await ask('GET')).bytes()).length).toBe(sizeBytes)
  })

  test('the head of what is not kept any more is not to be had either', async () => {
    const path = await clips.make({ name: 'gone.mp4', size: '64x36', seconds: 0.4 })
    const job = await encodeByForm(server, path)
    await job.reaches('succeeded')
    await server.bucket.storage.remove(await outputOf(job))
    const url = `/v1/videos/${job.id}/download?redirect=false`
    for (const method of ['GET', 'HEAD']) expect((await server.request(method, url)).status).toBe(404)
  })

  /** The key of the one file. */
  async function outputOf(job: TestJob): Promise<string> {
    const [key, ...others] = (await server.bucket.keys()).filter((each) =>
      each.startsWith(`outputs/${job.id}/`),
    )
    if (key === undefined) throw new Error(`job ${job.id} has no output`)
    expect(others).toEqual([])
    return key
  }

  /** By bytes that do not fit into what a connection buffers. */
  async function replaceOutput(job: TestJob, sizeBytes: number): Promise<void> {
    const bytes = Readable.from([Buffer.alloc(sizeBytes)])
    const options = { contentType: 'video/mp4', partSizeBytes: 8 * 1024 ** 2 }
    await server.bucket.storage.putStream(await outputOf(job), bytes, options)
  }

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

describe('what a form says of its file', () => {
  const limit = 255

  async function sendAs(options: Parameters<typeof formParts>[1]) {
    const path = await clips.make({ name: 'said.mp4', size: '64x36', seconds: 0.2, sound: false })
    const { contentType, head, tail } = formParts('clip.mp4', options)
    const response = await fetch(`${server.url}/v1/videos/encode`, {
      method: 'POST',
      headers: { 'content-type': contentType },
      body: Buffer.concat([head, await readFile(path), tail]),
    })
    const text = await response.text()
    expect(response.status, text).toBe(201)
    const job = server.job(JSON.parse(text).jobId)
    const { params } = await (await server.request('GET', `/v1/jobs/${job.id}`)).json()
    const { filename, source } = params
    const [, uploadId] = source.key.split('/')
    const upload = await (await server.request('GET', `/v1/videos/uploads/${uploadId}`)).json()
    return { job, filename, upload, key: source.key }
  }

  test.each([
    { what: 'with a NUL in it', sent: "UTF-8''a%00b.mp4", kept: 'ab.mp4' },
    { what: 'of nothing but a NUL', sent: "UTF-8''%00", kept: 'video' },
    { what: 'with half a character', sent: "UTF-16LE''a%00%00%D8b%00", kept: 'a\uFFFDb' },
    { what: 'that is too long', sent: `UTF-8''${'a'.repeat(300)}`, kept: 'a'.repeat(limit) },
    {
      what: 'whose last character is cut in two by the limit',
      sent: `UTF-8''${'a'.repeat(limit - 1)}%F0%9F%98%80.mp4`,
      kept: `${'a'.repeat(limit - 1)}\uFFFD`,
    },
    { what: 'of any script', sent: "UTF-8''%C3%9Cber%20%E6%BC%A2.mp4", kept: 'Über 漢.mp4' },
  ])('a name $what is kept as far as it is one', async ({ sent, kept }) => {
    const { job, filename, upload } = await sendAs({ extendedName: sent })
    expect([filename, upload.filename]).toEqual([kept, kept])
    await job.reaches('succeeded')
    const download = await server.request('GET', `/v1/videos/${job.id}/download?redirect=false`)
    expect(download.status).toBe(200)
    await download.arrayBuffer()
  })

  test.each([
    { type: 'video/quicktime', kept: 'video/quicktime' },
    { type: 'video/mp4; codecs="avc1.64001f"', kept: 'video/mp4' },
    { type: 'nonsense', kept: 'application/octet-stream' },
    { type: 'video/m\0p4', kept: 'application/octet-stream' },
    { type: 'video/<script>', kept: 'application/octet-stream' },
    { type: `video/${'x'.repeat(101)}`, kept: 'application/octet-stream' },
  ])('the type $type is kept as $kept', async ({ type, kept }) => {
    const { job, upload, key } = await sendAs({ type })
    expect(upload.contentType).toBe(kept)
    expect(await server.bucket.storage.head(key)).toMatchObject({ contentType: kept })
    await job.reaches('succeeded')
  })
})
