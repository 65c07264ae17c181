import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, expect, test } from 'vitest'
import { testClips } from '../support/clips.ts'
import { startServer } from '../support/server.ts'
import { problemOf } from '../support/video-client.ts'

const server = await startServer({ environment: { JOB_ALLOWED_HOSTS: '127.0.0.1' } })
const clips = await testClips()
const clip = await readFile(await clips.make({ name: 'clip.mp4', seconds: 1 }))

const store = createServer((request, response) => {
  if (request.url === '/inward.mp4') response.writeHead(302, { location: 'http://169.254.169.254/' }).end()
  else if (request.url?.startsWith('/films/')) response.end(clip)
  else response.writeHead(404).end()
})
await new Promise<void>((resolve) => store.listen(0, '127.0.0.1', resolve))
const origin = `http://127.0.0.1:${(store.address() as AddressInfo).port}`
afterAll(() => new Promise((resolve) => store.close(resolve)))

const encode = (body: object) => server.request('POST', '/v1/videos/encode', { quality: '720p', ...body })

async function jobOf(response: Response) {
  const { jobId } = await response.json()
  return server.job(jobId)
}

test('a video at an address is fetched, encoded and named after the address', async () => {
  const response = await encode({ sourceUrl: `${origin}/films/My%20holiday.mov?token=1` })
  expect(response.status).toBe(201)
  const job = await jobOf(response)
  await job.reaches('succeeded')
  const status = await (await server.request('GET', `/v1/videos/${job.id}/status`)).json()
  expect(status.outputFilename).toBe('My holiday-720p.mp4')
  expect(status.source).toMatchObject({ sizeBytes: clip.length })

  const more = await server.request('POST', `/v1/videos/${job.id}/outputs`, {
    outputs: [{ format: 'mp4', height: 90 }],
  })
  expect(more.status).toBe(201)
  await (await jobOf(more)).reaches('succeeded')
})

test.each([
  ['/gone.mp4', 'source_missing'],
  ['/inward.mp4', 'address_not_allowed'],
])('%s ends as %s, without another attempt', async (path, errorCode) => {
  const job = await jobOf(await encode({ sourceUrl: `${origin}${path}` }))
  expect(await job.reaches('failed')).toMatchObject({ errorCode, attempts: 1 })
})

test.each([
  ['file:///etc/passwd', 'expected an http:// or https:// URL'],
  ['http://user:word@example.com/a.mp4', 'without user name and password'],
  [
    'http://169.254.169.254/latest/meta-data',
    'is not a public address, nor one that JOB_ALLOWED_HOSTS allows',
  ],
  ['http://127.0.0.2/a.mp4', 'is not a public address'],
  ['http://[::ffff:10.0.0.1]/a.mp4', 'is not a public address'],
])('%s is refused at once', async (sourceUrl, message) => {
  const problem = await problemOf(await encode({ sourceUrl }), 400, 'invalid_request')
  expect(problem.details).toEqual([{ path: 'sourceUrl', message: expect.stringContaining(message) }])
})

test('one source is named, and not two', async () => {
  const problem = await problemOf(
    await encode({ sourceUrl: `${origin}/films/a.mp4`, sourceKey: 'sources/1/source' }),
    400,
    'invalid_request',
  )
  expect(problem.details).toMatchObject([{ path: 'uploadId' }])
})
