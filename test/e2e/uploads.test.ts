import { readFile } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { afterEach, describe, expect, test } from 'vitest'
import { expireUploads } from '../../core/uploads/expire.ts'
import { freeBox, inspect, testClips } from '../support/clips.ts'
import { leftovers, nothing } from '../support/leftovers.ts'
import { openRaw } from '../support/raw-request.ts'
import { startServer } from '../support/server.ts'
import { type Opened, openUpload, problemOf, put, putAll, statusOf } from '../support/video-client.ts'

const mebibyte = 1024 ** 2
const unknownId = '01890a5d-ac96-774b-bcce-b302099a8057'

const server = await startServer()
const { sql } = server.database
const clips = await testClips()
const clip = new Blob([await readFile(await clips.make({ name: 'clip.mp4', seconds: 1 }))])
/** More than goes in one PUT: a real video, and behind it a box that readers skip. */
const padding = 70 * mebibyte - clip.size
const largeClip = new Blob([clip, Buffer.from(freeBox(padding)), Buffer.alloc(padding - 8)])

const upload = (id: string) => server.request('GET', `/v1/videos/uploads/${id}`)
const complete = (id: string) => server.request('POST', `/v1/videos/uploads/${id}/complete`)
const resume = (id: string) => server.request('POST', `/v1/videos/uploads/${id}/resume`)
const cancel = (id: string) => server.request('DELETE', `/v1/videos/uploads/${id}`)
const encode = (uploadId: string, more = {}) =>
  server.request('POST', '/v1/videos/encode', { uploadId, ...more })

/** Every test ends with the bucket as it found it; those that leave an object on purpose remove it. */
afterEach(async () => {
  const left = await leftovers(server)
  // One test's leftovers are no fault of the next.
  await emptyBucket()
  expect(left).toEqual(nothing)
})

async function emptyBucket(): Promise<void> {
  for (const key of await server.bucket.keys()) await server.bucket.storage.remove(key)
}

async function storedAs({ uploadId }: Opened): Promise<{ objectKey: string; multipartId: string }> {
  const [row] = await sql<{ objectKey: string; multipartId: string }[]>`
    select object_key, multipart_id from job_server.uploads where id = ${uploadId}`
  if (row === undefined) throw new Error(`no upload ${uploadId}`)
  return row
}

/** Of an upload in parts the last, which is small; of another all. */
async function putLast(opened: Opened, bytes: Blob): Promise<void> {
  const last = opened.parts?.at(-1)
  if (last === undefined) return await putAll(opened, bytes)
  expect((await put(last.url, bytes.slice(bytes.size - last.sizeBytes))).status).toBe(200)
}

async function expire({ uploadId }: Opened): Promise<void> {
  await sql`update job_server.uploads set expires_at = now() - interval '1 second' where id = ${uploadId}`
}

describe('an upload', () => {
  test('goes by one link, is completed once however often that is said, and may be encoded', async () => {
    const opened = await openUpload(server, { sizeBytes: clip.size, filename: 'holiday.mov' })
    expect(opened).toMatchObject({ status: 'waiting', headers: { 'content-type': 'video/mp4' } })
    expect(opened.parts).toBeUndefined()
    await putAll(opened, clip)
    const answers = await Promise.all([1, 2, 3].map(() => complete(opened.uploadId)))
    for (const answer of [...answers, await complete(opened.uploadId), await upload(opened.uploadId)]) {
      expect(answer.status).toBe(200)
      expect(await answer.json()).toMatchObject({
        uploadId: opened.uploadId,
        status: 'completed',
        filename: 'holiday.mov',
        sizeBytes: clip.size,
      })
    }
    const again = { quality: '720p', idempotencyKey: 'once' }
    const first = await encode(opened.uploadId, again)
    expect(first.status).toBe(201)
    const { jobId } = await first.json()
    const second = await encode(opened.uploadId, again)
    expect(second.status).toBe(200)
    expect((await second.json()).jobId).toBe(jobId)
    await problemOf(await encode(opened.uploadId, { ...again, quality: '4k' }), 409, 'idempotency_conflict')
    await server.job(jobId).reaches('succeeded')
    expect(await statusOf(server, server.job(jobId))).toMatchObject({ outputFilename: 'holiday-720p.mp4' })
    await emptyBucket()
  })

  test('of more than 64 MiB goes by parts, and is encoded as the one file it is', async () => {
    const opened = await openUpload(server, { sizeBytes: largeClip.size })
    expect(opened.url).toBeUndefined()
    expect(opened.parts?.map(({ partNumber, sizeBytes }) => [partNumber, sizeBytes])).toEqual([
      [1, 64 * mebibyte],
      [2, 6 * mebibyte],
    ])
    await putAll(opened, largeClip)
    const answers = await Promise.all([complete(opened.uploadId), complete(opened.uploadId)])
    for (const answer of answers) expect(await answer.json()).toMatchObject({ status: 'completed' })
    const { jobId } = await (await encode(opened.uploadId)).json()
    const job = server.job(jobId)
    await job.reaches('succeeded')
    expect(await statusOf(server, job)).toMatchObject({ source: { sizeBytes: largeClip.size } })
    const output = await (await fetch(`${server.url}/v1/videos/${jobId}/download`)).bytes()
    expect((await inspect(await clips.write('large.mp4', output))).video.frameCount).toBe(25)
    await emptyBucket()
  })

  test('of 5 GB gets a link for each of its parts, which together are all of it', async () => {
    const sizeBytes = 5 * 1024 ** 3
    const opened = await openUpload(server, { sizeBytes })
    const sizes = opened.parts?.map((part) => part.sizeBytes) ?? []
    expect(sizes).toHaveLength(80)
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(sizeBytes)
    expect(new Set(opened.parts?.map(({ url }) => url)).size).toBe(80)
    expect((await cancel(opened.uploadId)).status).toBe(200)
  })

  test('lives as long as was asked for, and so do its links', async () => {
    const opened = await openUpload(server, { sizeBytes: clip.size, expiresInSeconds: 60 })
    expect(new URL(opened.url ?? '').searchParams.get('X-Amz-Expires')).toBe('60')
    const parts = await openUpload(server, { sizeBytes: largeClip.size, expiresInSeconds: 604_800 })
    for (const { url } of parts.parts ?? []) {
      expect(new URL(url).searchParams.get('X-Amz-Expires')).toBe('604800')
    }
    const { createdAt, expiresAt } = await (await upload(opened.uploadId)).json()
    expect(Date.parse(expiresAt) - Date.parse(createdAt)).toBe(60_000)
    for (const { uploadId } of [opened, parts]) expect((await cancel(uploadId)).status).toBe(200)
  })

  test('keeps the object key to itself: the name of the file is in no link', async () => {
    const opened = await openUpload(server, { sizeBytes: 10, filename: '../../etc/passwd.mp4' })
    expect(opened.url).not.toContain('passwd')
    expect(new URL(opened.url ?? '').pathname).toMatch(/\/sources\/[0-9a-f-]{36}\/source$/)
    await cancel(opened.uploadId)
  })
})

describe('an upload in parts goes on after a break', () => {
  test('with what is missing, by fresh links, and is whole at the end', async () => {
    const opened = await openUpload(server, { sizeBytes: largeClip.size, expiresInSeconds: 600 })
    const [first, second] = opened.parts ?? []
    await put(first?.url ?? '', largeClip.slice(0, first?.sizeBytes))
    await put(second?.url ?? '', new Blob(['too little']))
    expect(await (await upload(opened.uploadId)).json()).toMatchObject({
      status: 'waiting',
      parts: [
        { partNumber: 1, done: true },
        { partNumber: 2, done: false },
      ],
    })
    const response = await resume(opened.uploadId)
    const resumed = (await response.json()) as Opened
    expect(resumed.parts).toMatchObject([{ partNumber: 2, sizeBytes: second?.sizeBytes }])
    const life = Number(new URL(resumed.parts?.[0]?.url ?? '').searchParams.get('X-Amz-Expires'))
    expect(life, "not longer than the upload's own time").toBeLessThanOrEqual(600)
    expect(life).toBeGreaterThan(500)
    await put(resumed.parts?.[0]?.url ?? '', largeClip.slice(first?.sizeBytes))
    expect(await (await complete(opened.uploadId)).json()).toMatchObject({ status: 'completed' })
    expect(await (await upload(opened.uploadId)).json()).not.toHaveProperty('parts')
    await problemOf(await resume(opened.uploadId), 409, 'upload_not_usable')
    await emptyBucket()
  })

  test('by its completion alone, where the storage has joined the parts already', async () => {
    const opened = await openUpload(server, { sizeBytes: largeClip.size })
    await putAll(opened, largeClip)
    const { objectKey, multipartId } = await storedAs(opened)
    const stored = await server.bucket.storage.listParts(objectKey, multipartId)
    await server.bucket.storage.completeMultipart(objectKey, multipartId, stored ?? [])

    expect(await (await upload(opened.uploadId)).json()).toMatchObject({
      status: 'waiting',
      parts: [
        { partNumber: 1, sizeBytes: 64 * mebibyte, done: true },
        { partNumber: 2, sizeBytes: 6 * mebibyte, done: true },
      ],
    })
    const resumed = await resume(opened.uploadId)
    expect(await resumed.json()).toMatchObject({ status: 'waiting', parts: [] })
    expect(await (await complete(opened.uploadId)).json()).toMatchObject({ status: 'completed' })
    await emptyBucket()
  })

  test('but not where the storage has let go of it: links would lead nowhere', async () => {
    const opened = await openUpload(server, { sizeBytes: largeClip.size })
    const { objectKey, multipartId } = await storedAs(opened)
    await server.bucket.storage.abortMultipart(objectKey, multipartId)
    const problem = await problemOf(await resume(opened.uploadId), 409, 'upload_not_usable')
    expect(problem.detail).toContain('gone from the storage')
    await problemOf(await complete(opened.uploadId), 409, 'upload_incomplete')
    expect((await cancel(opened.uploadId)).status).toBe(200)
  })

  test('by one link where it was one', async () => {
    const opened = await openUpload(server, { sizeBytes: clip.size })
    const response = await resume(opened.uploadId)
    await putAll((await response.json()) as Opened, clip)
    expect((await complete(opened.uploadId)).status).toBe(200)
    await emptyBucket()
  })
})

test('a source is encoded by its key, as is an output; no other object can be named', async () => {
  const opened = await openUpload(server, { sizeBytes: clip.size })
  await putAll(opened, clip)
  await complete(opened.uploadId)
  const byKey = (sourceKey: string, more = {}) =>
    server.request('POST', '/v1/videos/encode', { sourceKey, quality: '720p', ...more })
  const sourceKey = `sources/${opened.uploadId}/source`
  const { jobId } = await (await byKey(sourceKey, { filename: 'beach.mp4' })).json()
  const job = server.job(jobId)
  await job.reaches('succeeded')
  expect(await statusOf(server, job)).toMatchObject({ outputFilename: 'beach-720p.mp4' })
  const outputs = (await server.bucket.keys()).filter((key) => key.startsWith('outputs/'))
  const again = await byKey(outputs[0] ?? '')
  expect(again.status).toBe(201)
  await server.job((await again.json()).jobId).reaches('succeeded')

  await server.request('DELETE', `/v1/jobs/${jobId}`)
  expect(await server.bucket.keys(), 'the outputs of a removed job').not.toContain(outputs[0])
  await problemOf(await byKey(`sources/${unknownId}/source`), 404, 'source_not_found')
  for (const other of [
    '../x',
    'sources/../secrets/x',
    '/sources/a/b',
    'private/a/b',
    'sources/a//b',
    's\0',
    '',
  ]) {
    await problemOf(await byKey(other), 400, 'invalid_request')
  }
  await problemOf(await byKey(sourceKey, { uploadId: opened.uploadId }), 400, 'invalid_request')
  await emptyBucket()
})

describe('an upload is not complete', () => {
  test('before its bytes have arrived; then it is', async () => {
    const opened = await openUpload(server, { sizeBytes: clip.size })
    const problem = await problemOf(await complete(opened.uploadId), 409, 'upload_incomplete')
    expect(problem.detail).toContain('no bytes have arrived')
    await problemOf(await encode(opened.uploadId), 409, 'upload_not_usable')
    await putAll(opened, clip)
    expect(await (await complete(opened.uploadId)).json()).toMatchObject({ status: 'completed' })
    await emptyBucket()
  })

  test('when other bytes lie in storage than were announced', async () => {
    const opened = await openUpload(server, { sizeBytes: clip.size + 1 })
    // The link is bound to the announced length: storage that checks it refuses others.
    await put(opened.url ?? '', clip, opened.headers)
    const [row] = await sql<{ objectKey: string }[]>`
      select object_key from job_server.uploads where id = ${opened.uploadId}`
    const options = { contentType: 'video/mp4', partSizeBytes: 8 * mebibyte }
    const bytes = Readable.from([Buffer.from(await clip.arrayBuffer())])
    await server.bucket.storage.putStream(row?.objectKey ?? '', bytes, options)
    const problem = await problemOf(await complete(opened.uploadId), 409, 'upload_incomplete')
    expect(problem.detail).toContain(`${clip.size} bytes have arrived, ${clip.size + 1} were announced`)
    await problemOf(await encode(opened.uploadId), 409, 'upload_not_usable')
    expect((await cancel(opened.uploadId)).status).toBe(200)
  })

  test('while a part is missing or empty, which can be sent until the end', async () => {
    const opened = await openUpload(server, { sizeBytes: largeClip.size })
    const [first, last] = opened.parts ?? []
    const none = await problemOf(await complete(opened.uploadId), 409, 'upload_incomplete')
    expect(none.detail).toContain('part 1 is missing, part 2 is missing')
    await put(first?.url ?? '', largeClip.slice(0, first?.sizeBytes))
    const missing = await problemOf(await complete(opened.uploadId), 409, 'upload_incomplete')
    expect(missing.detail).toContain('part 2 is missing')
    await put(last?.url ?? '', new Blob([]))
    const empty = await problemOf(await complete(opened.uploadId), 409, 'upload_incomplete')
    expect(empty.detail).toMatch(/part 2 (is missing|has 0 bytes of 6291456)/)
    await problemOf(await encode(opened.uploadId), 409, 'upload_not_usable')
    await put(last?.url ?? '', largeClip.slice(first?.sizeBytes))
    expect(await (await complete(opened.uploadId)).json()).toMatchObject({ status: 'completed' })
    await emptyBucket()
  })

  test('when the connection broke in the middle; a second try makes it whole', async () => {
    const opened = await openUpload(server, { sizeBytes: clip.size })
    const { origin, pathname, search } = new URL(opened.url ?? '')
    const headers = { ...opened.headers, 'content-length': String(clip.size) }
    const request = await openRaw(origin, `${pathname}${search}`, headers, 'PUT')
    await request.write(await clip.slice(0, clip.size / 2).bytes())
    request.end()
    await request.answer
    await problemOf(await complete(opened.uploadId), 409, 'upload_incomplete')
    await putAll(opened, clip)
    expect(await (await complete(opened.uploadId)).json()).toMatchObject({ status: 'completed' })
    await emptyBucket()
  })
})

describe('an upload is given up', () => {
  test('when its bytes are no video: they go, and the reason can be read', async () => {
    const text = new Blob(['This is a text, whatever its name.\n'])
    const opened = await openUpload(server, { sizeBytes: text.size })
    await putAll(opened, text)
    const problem = await problemOf(await complete(opened.uploadId), 400, 'invalid_media')
    expect(await leftovers(server)).toEqual(nothing)
    expect(await (await upload(opened.uploadId)).json()).toMatchObject({
      status: 'errored',
      error: problem.detail,
    })
    await problemOf(await complete(opened.uploadId), 409, 'upload_not_usable')
    await problemOf(await encode(opened.uploadId), 409, 'upload_not_usable')
  })

  test.each([
    { what: 'by one link', bytes: clip },
    { what: 'by parts', bytes: largeClip },
  ])('when it is cancelled on its way $what: its bytes go, and nothing can be done with it', async (row) => {
    const opened = await openUpload(server, { sizeBytes: row.bytes.size })
    await putLast(opened, row.bytes)
    expect(await leftovers(server)).not.toEqual(nothing)
    for (let time = 0; time < 2; time++) {
      const cancelled = await cancel(opened.uploadId)
      expect(cancelled.status).toBe(200)
      expect(await cancelled.json()).toMatchObject({ status: 'cancelled' })
    }
    expect(await leftovers(server)).toEqual(nothing)
    await problemOf(await complete(opened.uploadId), 409, 'upload_not_usable')
    await problemOf(await encode(opened.uploadId), 409, 'upload_not_usable')
  })

  test.each([
    { what: 'by one link', bytes: clip },
    { what: 'by parts', bytes: largeClip },
  ])('when its time is up on its way $what, and upkeep removes what came', async ({ bytes }) => {
    const opened = await openUpload(server, { sizeBytes: bytes.size })
    await putLast(opened, bytes)
    await expire(opened)
    expect(await (await upload(opened.uploadId)).json()).toMatchObject({ status: 'timed_out' })
    for (const request of [complete, encode, cancel]) {
      const problem = await problemOf(await request(opened.uploadId), 409, 'upload_not_usable')
      expect(problem.detail).toContain('timed_out')
    }
    expect(await leftovers(server)).not.toEqual(nothing)
    await expireUploads(sql, server.bucket.storage, { lateSeconds: 0 })
    expect(await leftovers(server)).toEqual(nothing)
    expect(await (await upload(opened.uploadId)).json()).toMatchObject({ status: 'timed_out' })
  })
})

test('what a link delivers after its upload was cancelled is removed once the link is dead', async () => {
  const opened = await openUpload(server, { sizeBytes: clip.size })
  await cancel(opened.uploadId)
  await putAll(opened, clip)
  await expireUploads(sql, server.bucket.storage, { lateSeconds: 0 })
  expect(await server.bucket.keys(), 'the link is still alive').toHaveLength(1)
  await expire(opened)
  await expireUploads(sql, server.bucket.storage, { lateSeconds: 0 })
  expect(await (await upload(opened.uploadId)).json()).toMatchObject({ status: 'cancelled' })
})

test('a completed upload can not be cancelled', async () => {
  const opened = await openUpload(server, { sizeBytes: clip.size })
  await putAll(opened, clip)
  await complete(opened.uploadId)
  await problemOf(await cancel(opened.uploadId), 409, 'upload_not_usable')
  expect(await server.bucket.keys()).toHaveLength(1)
  await emptyBucket()
})

test('an upload that is not ours, or by what is no id, is refused everywhere', async () => {
  for (const request of [upload, complete, cancel, encode]) {
    await problemOf(await request(unknownId), 404, 'upload_not_found')
    await problemOf(await request('not-an-id'), 400, 'invalid_request')
  }
})

test('a link signs for one object only: the signature of one upload opens no other', async () => {
  const [mine, other] = [
    await openUpload(server, { sizeBytes: clip.size }),
    await openUpload(server, { sizeBytes: clip.size }),
  ]
  const forged = new URL(mine.url ?? '')
  forged.pathname = new URL(other.url ?? '').pathname
  expect((await put(forged.href, clip, mine.headers)).status).toBe(403)
  for (const { uploadId } of [mine, other]) await cancel(uploadId)
})

const wrong = [
  { path: 'sizeBytes', value: 0 },
  { path: 'sizeBytes', value: -1 },
  { path: 'sizeBytes', value: 1.5 },
  { path: 'sizeBytes', value: '100' },
  { path: 'sizeBytes', value: null },
  { path: 'filename', value: '' },
  { path: 'filename', value: 'nul\0.mp4' },
  { path: 'filename', value: null },
  { path: 'contentType', value: 'video' },
  { path: 'contentType', value: 'video/mp4\r\nx-evil: 1' },
  { path: 'expiresInSeconds', value: 59 },
  { path: 'expiresInSeconds', value: 604_801 },
].map((row) => ({ ...row, shown: JSON.stringify(row.value) }))

test.each(wrong)('an upload with $shown for $path is refused', async ({ path, value }) => {
  const body = { filename: 'clip.mp4', contentType: 'video/mp4', sizeBytes: 100, [path]: value }
  const response = await server.request('POST', '/v1/videos/uploads', body)
  expect((await problemOf(response, 400, 'invalid_request')).details).toMatchObject([{ path }])
})

test('an upload with a misspelt word is refused, and the word named', async () => {
  const body = { filename: 'clip.mp4', contentType: 'video/mp4', sizeBytes: 100, expiresInSecond: 60 }
  const response = await server.request('POST', '/v1/videos/uploads', body)
  expect((await problemOf(response, 400, 'invalid_request')).detail).toContain('expiresInSecond')
})

test('an upload larger than allowed is refused before a byte is sent', async () => {
  const body = { filename: 'clip.mp4', contentType: 'video/mp4', sizeBytes: 51 * 1024 ** 3 }
  const response = await server.request('POST', '/v1/videos/uploads', body)
  const problem = await problemOf(response, 413, 'body_too_large')
  expect(problem.details).toMatchObject([{ path: 'sizeBytes' }])
})
