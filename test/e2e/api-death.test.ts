/** An API that dies while a video comes in through it. */
import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { expireUploads } from '../../core/uploads/expire.ts'
import { testClips } from '../support/clips.ts'
import { leftovers, nothing, openMultiparts } from '../support/leftovers.ts'
import { formParts, openRaw } from '../support/raw-request.ts'
import { startServer } from '../support/server.ts'
import { until } from '../support/until.ts'

test('an API killed in the middle of an upload leaves nothing that is not collected', async () => {
  const server = await startServer({ workers: 0 })
  const { sql } = server.database
  const clips = await testClips()
  const clip = await readFile(await clips.make({ name: 'clip.mp4', seconds: 1 }))
  const { contentType, head } = formParts()
  const headers = { 'content-type': contentType, 'content-length': String(1024 ** 3) }
  const request = await openRaw(server.url, '/v1/videos/encode', headers)
  await request.write(head)
  await request.write(clip)
  await request.write(Buffer.alloc(12 * 1024 ** 2))
  await until('parts to lie in storage', async () => (await openMultiparts(server.bucket)).length > 0)
  await until('them to be known', async () => {
    const rows = await sql`select from job_server.uploads where multipart_id is not null`
    return rows.length > 0
  })
  server.api.signal('SIGKILL')
  await server.api.exited
  request.destroy()
  expect((await leftovers(server)).multiparts, 'what there is to collect').not.toEqual([])

  await sql`update job_server.uploads set expires_at = now() - interval '1 second'`
  expect(await expireUploads(sql, server.bucket.storage, { lateSeconds: 0 })).toEqual({ removed: 1 })
  expect(await leftovers(server)).toEqual(nothing)
})
