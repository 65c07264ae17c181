import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
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
