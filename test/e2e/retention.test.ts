import { expect, test } from 'vitest'
import { removeIdleSources } from '../../core/upkeep/idle-sources.ts'
import { removeOldOutputs } from '../../core/upkeep/old-outputs.ts'
import { testClips } from '../support/clips.ts'
import { startServer } from '../support/server.ts'
import { problemOf, uploadFile } from '../support/video-client.ts'

const server = await startServer()
const clips = await testClips()
const { sql } = server.database
const { storage, keys } = server.bucket

test('a source and then the outputs leave the bucket when their time is over, and requests say so', async () => {
  const { uploadId } = await uploadFile(server, await clips.make({ name: 'clip.mp4', seconds: 1 }))
  const encode = () => server.request('POST', '/v1/videos/encode', { uploadId, quality: '720p' })
  const { jobId } = await (await encode()).json()
  await server.job(jobId).reaches('succeeded')
  const [source, output, ...others] = (await keys()).toSorted().toReversed()
  expect(source).toBe(`sources/${uploadId}/source`)
  expect(others).toEqual([])

  const sources = { retentionDays: 30, historyDays: 30, limit: 10 }
  await sql`update job_server.uploads set ended_at = ended_at - interval '31 days'`
  expect(await removeIdleSources(sql, storage, sources)).toEqual({ removed: 0, inUse: 1 })
  expect(await keys()).toHaveLength(2)

  await sql`update job_server.uploads set used_at = used_at - interval '31 days'`
  await sql`update job_server.job_history set finished_at = finished_at - interval '31 days'`
  expect(await removeIdleSources(sql, storage, sources)).toEqual({ removed: 1, inUse: 0 })
  expect(await keys()).toEqual([output])
  const upload = await (await server.request('GET', `/v1/videos/uploads/${uploadId}`)).json()
  expect(upload).toMatchObject({ status: 'completed', bytesRemovedAt: expect.any(String) })
  await problemOf(await encode(), 410, 'source_gone')
  await problemOf(await server.request('POST', `/v1/jobs/${jobId}/retry`), 410, 'source_gone')
  const addition = { outputs: [{ format: 'mp4', height: 90 }] }
  const refused = await server.request('POST', `/v1/videos/${jobId}/outputs`, addition)
  expect((await problemOf(refused, 410, 'source_gone')).detail).toContain('upload the file again')
  const download = await server.request('GET', `/v1/videos/${jobId}/download`)
  expect(download.status).toBe(302)

  await sql`delete from job_server.job_history`
  expect(await removeOldOutputs(sql, storage, { retentionDays: 0, limit: 10 })).toBe(1)
  expect(await keys()).toEqual([])
})
