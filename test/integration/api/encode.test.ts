import { Readable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { newId } from '../../../core/ids.ts'
import { sourceKey } from '../../../core/storage/keys.ts'
import { testApp } from '../../support/app.ts'
import { testDatabase } from '../../support/database.ts'
import { testQueue } from '../../support/queue.ts'
import { testStorage } from '../../support/storage.ts'

const database = await testDatabase()
const { sql } = database
const bucket = await testStorage()
const queue = await testQueue(sql, { key: 'encode.video' })
const { request } = await testApp({ database, bucket })

test('a picture is encoded as a video neither by the id of its upload nor by its key', async () => {
  const uploadId = newId()
  const key = sourceKey(uploadId)
  const contentType = 'image/png'
  await sql`
    insert into job_server.uploads (id, object_key, filename, content_type, size_bytes, status, expires_at)
    values (${uploadId}, ${key}, 'logo.png', ${contentType}, 4, 'completed', now())`
  const bytes = Readable.from([Buffer.from('logo')])
  await bucket.storage.putStream(key, bytes, { contentType, partSizeBytes: 5 * 1024 ** 2 })
  for (const source of [{ uploadId }, { sourceKey: key }]) {
    const answer = await request('POST', '/v1/videos/encode', source)
    expect(answer.status, JSON.stringify(source)).toBe(400)
    expect(await answer.json()).toMatchObject({
      code: 'invalid_media',
      detail: `Upload ${uploadId} is image/png, not a video.`,
    })
  }
  expect(await queue.claim()).toEqual([])
})

describe('the header Idempotency-Key', () => {
  const source = { sourceUrl: 'https://films.example/film.mp4' }
  const wanted = { outputs: [{ format: 'mp4', height: 240 }] }
  const post = (path: string, key: string, body?: object, headers = {}) =>
    request('POST', `/v1/videos/${path}`, body, { ...headers, 'idempotency-key': key })

  test.each([
    { to: 'encode', pathOf: async () => 'encode', body: { ...source, quality: '720p' }, other: source },
    {
      to: 'add outputs',
      pathOf: async () => {
        const { jobId } = await (await post('encode', '', source)).json()
        return `${jobId}/outputs`
      },
      body: wanted,
      other: { ...wanted, poster: true },
    },
  ])('makes one job of a request to $to that is repeated', async ({ pathOf, body, other }) => {
    const path = await pathOf()
    const key = newId()
    const first = await post(path, key, body)
    expect(first.status).toBe(201)
    // The header counts, not the body.
    const again = await post(path, key, { ...body, idempotencyKey: newId() })
    expect(again.status).toBe(200)
    expect((await again.json()).jobId).toBe((await first.json()).jobId)
    expect((await post(path, key, other)).status).toBe(409)
    expect((await post(path, '', other)).status).toBe(201)
    expect((await post(path, 'k'.repeat(256), other)).status).toBe(400)
  })

  test('is refused with a form, before the video is taken', async () => {
    const form = { 'content-type': 'multipart/form-data; boundary=x' }
    const refused = await (await post('encode', 'once', undefined, form)).json()
    expect(refused).toMatchObject({
      status: 400,
      code: 'invalid_request',
      details: [{ path: 'Idempotency-Key', message: expect.stringContaining('/v1/videos/uploads') }],
    })
    const empty = await (await post('encode', '', undefined, form)).json()
    expect(empty, 'there is no video').toMatchObject({ code: 'malformed_body' })
  })
})
