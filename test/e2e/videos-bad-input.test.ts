import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { boxes, freeBox, h264, testClips } from '../support/clips.ts'
import { leftovers, nothing } from '../support/leftovers.ts'
import { boundary, formParts, openRaw } from '../support/raw-request.ts'
import { startServer } from '../support/server.ts'
import { until } from '../support/until.ts'
import {
  encodeByForm,
  encodeByLink,
  formWith,
  problemOf,
  sendForm,
  statusOf,
  uploadFile,
} from '../support/video-client.ts'

const mebibyte = 1024 ** 2
const maxUploadBytes = 30 * mebibyte

const server = await startServer({ environment: { MAX_UPLOAD_BYTES: String(maxUploadBytes) } })
const clips = await testClips()
const clip = await clips.make({ name: 'clip.mp4', seconds: 1 })
const unknownId = '01890a5d-ac96-774b-bcce-b302099a8057'

const png = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
)

afterEach(async () => {
  const left = await leftovers(server)
  // One test's leftovers are no fault of the next.
  for (const key of left.objects) await server.bucket.storage.remove(key)
  const waiting = await server.database.sql`
    update job_server.uploads set status = 'errored' where status = 'waiting' returning id`
  expect(left).toEqual(nothing)
  expect(waiting, 'uploads that nobody will end').toHaveLength(0)
})

/** No job came of it either. */
async function refused(response: Response, status: number, code: string) {
  const problem = await problemOf(response, status, code)
  const live = await server.database.sql`select id from job_server.jobs`
  expect(live, 'jobs enqueued').toHaveLength(0)
  return problem
}

describe('a form', () => {
  test.each([
    { what: 'a picture named .mp4', content: png, says: 'image/png' },
    { what: 'a text named .mp4', content: 'This is a text, whatever its name.\n', says: 'text' },
    { what: 'an empty file', content: '', says: 'empty' },
    {
      what: 'a playlist that names other files',
      content: '#EXTM3U\n#EXTINF:1,\nhttp://10.0.0.1/\n',
      says: '',
    },
    {
      what: 'a picture larger than what is read before the answer',
      content: Buffer.concat([png, randomBytes(20 * mebibyte)]),
      says: 'image/png',
    },
  ])('with $what is refused as no video', async ({ content, says }) => {
    const path = await clips.write('named.mp4', content)
    const problem = await refused(await sendForm(server, await formWith(path)), 400, 'invalid_media')
    expect(problem.detail).toContain(says)
    expect(problem.details).toMatchObject([{ path: 'video' }])
  })

  test('without a file, or with it under another name, is refused with the name of the field', async () => {
    const empty = new FormData()
    empty.set('quality', '720p')
    const text = new FormData()
    text.set('video', 'clip.mp4')
    const elsewhere = new FormData()
    elsewhere.set('file', new File([await readFile(clip)], 'clip.mp4'))
    for (const form of [empty, text, elsewhere]) {
      const problem = await refused(await sendForm(server, form), 400, 'video_missing')
      expect(problem.details).toMatchObject([{ path: 'video' }])
    }
  })

  test.each([
    { path: 'quality', value: '8k' },
    { path: 'quality', value: '' },
    { path: 'format', value: 'exe' },
    { path: 'priority', value: 'high' },
    { path: 'priority', value: '99999999999' },
  ])('with "$value" for $path is refused, and its video is not kept', async ({ path, value }) => {
    const response = await sendForm(server, await formWith(clip, { [path]: value }))
    expect((await refused(response, 400, 'invalid_request')).details).toMatchObject([{ path }])
  })

  test('larger than allowed is refused, whether it says how large it is or not', async () => {
    const { contentType, head, tail } = formParts()
    const video = Buffer.concat([await readFile(clip), freeBox(maxUploadBytes), Buffer.alloc(maxUploadBytes)])
    const body = Buffer.concat([head, video, tail])
    const send = (body: BodyInit) =>
      fetch(`${server.url}/v1/videos/encode`, {
        method: 'POST',
        headers: { 'content-type': contentType },
        body,
      })
    await refused(await send(body), 413, 'body_too_large')
    await refused(await send(unannounced(body)), 413, 'body_too_large')
  })

  test('that is no form, names no boundary, or ends without its closing boundary is refused', async () => {
    const { contentType, head } = formParts()
    const video = await readFile(clip)
    const url = `${server.url}/v1/videos/encode`
    const send = (type: string, body: BodyInit) =>
      fetch(url, { method: 'POST', headers: { 'content-type': type }, body })
    await refused(await send('multipart/form-data', Buffer.concat([head, video])), 400, 'malformed_body')
    await refused(await send(contentType, Buffer.concat([head, video])), 400, 'malformed_body')
    await refused(await send(contentType, video), 400, 'malformed_body')
    await refused(await send(contentType, head.subarray(0, 40)), 400, 'malformed_body')
    await refused(await send(contentType, `--${boundary}--\r\n`), 400, 'video_missing')
    await refused(
      await fetch(url, { method: 'POST', headers: { 'content-type': contentType } }),
      400,
      'malformed_body',
    )
  })

  test.each([
    { what: 'before the first part is stored', sizeBytes: 2 * mebibyte, multiparts: 0 },
    { what: 'when parts of it are stored already', sizeBytes: 24 * mebibyte, multiparts: 1 },
  ])('whose connection breaks $what leaves nothing', async ({ sizeBytes, multiparts }) => {
    const { contentType, head, tail } = formParts(`cut-${sizeBytes}.mp4`)
    const video = Buffer.concat([await readFile(clip), freeBox(sizeBytes), Buffer.alloc(sizeBytes)])
    const length = head.length + video.length + tail.length
    const headers = { 'content-type': contentType, 'content-length': String(length) }
    const request = await openRaw(server.url, '/v1/videos/encode', headers)
    await request.write(head)
    await request.write(video.subarray(0, video.length - mebibyte))
    const upload = () => server.database.sql<{ status: string; error: string | null }[]>`
      select status, error from job_server.uploads where filename = ${`cut-${sizeBytes}.mp4`}`
    await until('the upload to begin', async () => (await upload())[0])
    await until('its parts', async () => (await leftovers(server)).multiparts.length === multiparts)
    request.destroy()
    const ended = await until('the upload to end', async () => {
      const [row] = await upload()
      return row?.status !== 'waiting' && row
    })
    expect(ended).toMatchObject({ status: 'errored', error: expect.stringMatching(/\.$/) })
  })

  test('of which only half comes before the client says that it is through is refused', async () => {
    const { contentType, head } = formParts('half.mp4')
    const video = await readFile(clip)
    const headers = { 'content-type': contentType, 'content-length': String(head.length + 2 * video.length) }
    const request = await openRaw(server.url, '/v1/videos/encode', headers)
    await request.write(Buffer.concat([head, video]))
    request.end()
    // The runtime may close without a word: there is no whole request that could be answered.
    expect(await request.answer).toMatch(/^(HTTP\/1.1 400 |$)/)
    // It may even close before it has told us of the request; then no upload was begun.
    await until('no upload to wait', async () => {
      const waiting = await server.database.sql`
        select from job_server.uploads where filename = 'half.mp4' and status = 'waiting'`
      return waiting.length === 0
    })
  })
})

/** Goes over the line in pieces, without a Content-Length. */
function unannounced(bytes: Buffer): ReadableStream<Uint8Array> {
  let sent = 0
  return new ReadableStream({
    pull(controller) {
      controller.enqueue(bytes.subarray(sent, sent + 65_536))
      sent += 65_536
      if (sent >= bytes.length) controller.close()
    },
  })
}

describe('a JSON body', () => {
  const post = (body: string, type = 'application/json') =>
    fetch(`${server.url}/v1/videos/encode`, { method: 'POST', headers: { 'content-type': type }, body })

  test('that does not parse is refused', async () => {
    await refused(await post('{"uploadId": '), 400, 'malformed_body')
    await refused(await post(''), 400, 'malformed_body')
  })

  test.each([
    { what: 'names no upload', body: {}, path: 'uploadId' },
    { what: 'names an upload by what is no UUID', body: { uploadId: '../secrets' }, path: 'uploadId' },
    { what: 'asks for an unknown quality', body: { uploadId: unknownId, quality: 'best' }, path: 'quality' },
    { what: 'has a priority that is text', body: { uploadId: unknownId, priority: '1' }, path: 'priority' },
  ])('that $what is refused with the path of what is wrong', async ({ body, path }) => {
    const problem = await refused(await post(JSON.stringify(body)), 400, 'invalid_request')
    expect(problem.details).toMatchObject([{ path }])
  })

  test('that names an upload we do not know is refused', async () => {
    await refused(await post(JSON.stringify({ uploadId: unknownId })), 404, 'upload_not_found')
  })

  test('is refused under a content type of another kind, or none', async () => {
    await refused(await post('{}', 'text/plain'), 415, 'unsupported_media_type')
    await refused(await post('{}', 'application/x-www-form-urlencoded'), 415, 'unsupported_media_type')
    const bytes = new Blob(['{}'])
    const untyped = await fetch(`${server.url}/v1/videos/encode`, { method: 'POST', body: bytes })
    await refused(untyped, 415, 'unsupported_media_type')
  })
})

describe('a video that turns out to be none', () => {
  const faststart = [...h264, '-movflags', '+faststart']
  const cases = [
    {
      what: 'an MP4 whose index was cut off with its end',
      make: async () => (await readFile(clip)).subarray(0, -2000),
      says: /its index is missing/,
    },
    {
      what: 'an MP4 with its index in front and its second half missing',
      make: async () => {
        const whole = await readFile(await clips.make({ name: 'front.mp4', seconds: 2, options: faststart }))
        return whole.subarray(0, whole.length / 2)
      },
      says: /cut off: \d\.\d of 2\.0 s are missing/,
    },
    {
      what: 'a Matroska file that ends in the middle',
      make: async () => {
        const whole = await readFile(await clips.make({ name: 'whole.mkv', seconds: 2 }))
        return whole.subarray(0, whole.length / 2)
      },
      says: /cut off: \d\.\d of 2\.0 s are missing/,
    },
    {
      what: 'an MP4 whose pictures were overwritten',
      make: async () => {
        const bytes = await readFile(clip)
        const data = boxes(bytes).find(({ type }) => type === 'mdat')
        if (data !== undefined) bytes.fill(0, data.offset + 8, data.offset + data.sizeBytes)
        return bytes
      },
      says: /damaged/,
    },
    {
      what: 'the head of an MP4 with noise behind it',
      make: async () => Buffer.concat([(await readFile(clip)).subarray(0, 32), randomBytes(100_000)]),
      says: /can not be read/,
    },
    {
      what: 'a file with sound only',
      make: async () => {
        const audio = ['-vn', '-c:a', 'aac']
        return await readFile(await clips.make({ name: 'sound.mp4', seconds: 1, options: audio }))
      },
      says: /no video stream/,
    },
  ]

  test.each(cases)('$what fails its job at once, with a sentence that says so', async ({ make, says }) => {
    const path = await clips.write('broken.mp4', await make())
    for (const encode of [encodeByForm, encodeByLink]) {
      const job = await encode(server, path)
      const failed = await job.reaches('failed')
      // Another attempt would find the same.
      expect(failed).toMatchObject({ attempts: 1, errorCode: 'invalid_media' })
      expect(await statusOf(server, job)).toMatchObject({
        status: 'failed',
        error: { code: 'invalid_media', message: expect.stringMatching(says) },
      })
      expect(failed.errorSummary).not.toContain(server.scratch)
      expect((await job.events()).at(-1)).toMatchObject({ eventType: 'failed' })
      expect(await leftovers(server)).toEqual(nothing)
      const download = await server.request('GET', `/v1/videos/${job.id}/download`)
      await problemOf(download, 404, 'output_not_ready')
      const [upload] = await server.database.sql<{ status: string; error: string }[]>`
        select status, error from job_server.uploads order by created_at desc limit 1`
      expect(upload).toMatchObject({ status: 'errored', error: failed.errorSummary })
    }
  })

  test('a repeated request meets its job, though its video turned out to be none', async () => {
    const audio = ['-vn', '-c:a', 'aac']
    const { uploadId } = await uploadFile(
      server,
      await clips.make({ name: 'sound-again.mp4', seconds: 1, options: audio }),
    )
    const encode = (idempotencyKey: string) =>
      server.request('POST', '/v1/videos/encode', { uploadId, idempotencyKey })
    const first = await encode('one')
    expect(first.status).toBe(201)
    const { jobId } = await first.json()
    await server.job(jobId).reaches('failed')
    const again = await encode('one')
    expect([again.status, await again.json()]).toMatchObject([200, { jobId, status: 'failed' }])
    await problemOf(await encode('another'), 409, 'upload_not_usable')
  })

  test('a source that is not in storage fails its job at once', async () => {
    const job = await server.enqueue('encode.video', { source: { key: `sources/${unknownId}/source` } })
    expect(await job.reaches('failed')).toMatchObject({ attempts: 1, errorCode: 'source_missing' })
  })
})

describe('a job', () => {
  const paths = ['', '/status', '/download', '/events']
  const of = (id: string, path: string) =>
    server.request('GET', `/v1/${['/status', '/download'].includes(path) ? 'videos' : 'jobs'}/${id}${path}`)

  test.each(paths)('that we do not know is not found at %s', async (path) => {
    await problemOf(await of(unknownId, path), 404, 'job_not_found')
  })

  test.each(paths)('whose id is no UUID is refused at %s', async (path) => {
    await problemOf(await of('17', path), 400, 'invalid_request')
    await problemOf(await of("';--", path), 400, 'invalid_request')
  })

  test('that is no encoding has no video', async () => {
    const job = await server.enqueue('echo', {})
    await job.reaches('succeeded')
    await problemOf(await of(job.id, '/status'), 404, 'job_not_found')
    await problemOf(await of(job.id, '/download'), 404, 'job_not_found')
  })

  test('that is unknown or through can not be cancelled', async () => {
    const cancel = (id: string) => server.request('POST', `/v1/jobs/${id}/cancel`)
    await problemOf(await cancel(unknownId), 404, 'job_not_found')
    await problemOf(await cancel('x'), 400, 'invalid_request')
    const job = await server.enqueue('echo', {})
    await job.reaches('succeeded')
    await problemOf(await cancel(job.id), 400, 'job_already_finished')
  })
})
