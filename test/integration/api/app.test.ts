import { Readable } from 'node:stream'
import { expect, onTestFinished, test } from 'vitest'
import { openPool } from '../../../core/db.ts'
import { newId } from '../../../core/ids.ts'
import { finish } from '../../../core/queue/finish.ts'
import { outputPrefix } from '../../../core/storage/keys.ts'
import { testApp } from '../../support/app.ts'
import { testDatabase } from '../../support/database.ts'
import { failedWith, testQueue } from '../../support/queue.ts'
import { testStorage } from '../../support/storage.ts'

const database = await testDatabase()
const { sql } = database
const bucket = await testStorage()
const queue = await testQueue(sql, {}, { key: 'encode.video' })
const { request } = await testApp({ database, bucket })

const picture = Buffer.from('a picture')
const film = Buffer.from('a film of some length')

/** A video that was encoded: a file to download and a poster. */
async function encodedVideo(): Promise<string> {
  const videoId = await queue.enqueue({ definitionKey: 'encode.video' })
  const job = await queue.claimOne()
  expect(job.lease.jobId).toBe(videoId)
  const outputs = [
    { kind: 'poster', name: 'poster.jpg', filename: 'poster.jpg', contentType: 'image/jpeg', bytes: picture },
    { kind: 'video', name: 'film.mp4', filename: 'my film.mp4', contentType: 'video/mp4', bytes: film },
  ]
  const result = []
  for (const { bytes, ...output } of outputs) {
    const key = `${outputPrefix(videoId)}1/${output.name}`
    await bucket.storage.putStream(key, Readable.from([bytes]), {
      contentType: output.contentType,
      partSizeBytes: 5 * 1024 ** 2,
    })
    result.push({ ...output, key })
  }
  const end = { kind: 'succeeded', result: { source: {}, outputs: result } } as const
  await finish(sql, [{ lease: job.lease, end }])
  return videoId
}

const videoId = await encodedVideo()

test('pages of other origins may show what is played, and nothing else', async () => {
  const policyOf = async (path: string) =>
    (await request('GET', path)).headers.get('cross-origin-resource-policy')
  for (const path of ['poster', 'outputs/film.mp4', 'thumbnails/1', 'playlist.m3u8']) {
    expect(await policyOf(`/v1/videos/${videoId}/${path}`), path).toBe('cross-origin')
  }
  for (const path of [`/v1/videos/${videoId}/status`, `/v1/videos/${videoId}/download`, '/v1/jobs', '/']) {
    expect(await policyOf(path), path).toBe('same-origin')
  }
})

test.each([
  ['poster', picture, 'image/jpeg', null],
  ['outputs/film.mp4', film, 'video/mp4', null],
  ['download', film, 'video/mp4', 'attachment; filename="my film.mp4"; filename*=UTF-8\'\'my%20film.mp4'],
])(
  'HEAD of %s is answered without a redirect: its link is good for GET alone',
  async (path, bytes, type, saved) => {
    const url = `/v1/videos/${videoId}/${path}`
    expect((await request('GET', url)).status).toBe(302)
    const head = await request('HEAD', url)
    expect(head.status).toBe(200)
    expect(Object.fromEntries(head.headers)).toMatchObject({
      'content-type': type,
      'content-length': String(bytes.length),
      'accept-ranges': 'bytes',
    })
    expect(head.headers.get('content-disposition')).toBe(saved)
    expect(await head.text()).toBe('')
  },
)

test('HEAD of what is not kept any more finds nothing', async () => {
  const gone = await encodedVideo()
  await bucket.storage.remove(`${outputPrefix(gone)}1/poster.jpg`)
  expect((await request('HEAD', `/v1/videos/${gone}/poster`)).status).toBe(404)
})

test.each([
  ['', undefined],
  [undefined, ''],
  ['', ''],
])(
  'an idempotency key that is empty counts as left out: body %j, header %j',
  async (idempotencyKey, header) => {
    const body = { definitionKey: 'test', params: { text: newId() }, idempotencyKey, uniqueFor: 60 }
    const headers = header === undefined ? undefined : { 'idempotency-key': header }
    const first = await request('POST', '/v1/jobs', body, headers)
    expect(first.status).toBe(201)
    const other = { ...body, params: { text: newId() } }
    expect((await request('POST', '/v1/jobs', other, headers)).status, 'they are no repetition').toBe(201)
  },
)

test('the key of the body counts where the header is empty', async () => {
  const body = { definitionKey: 'test', idempotencyKey: newId() }
  const statuses = []
  for (let time = 0; time < 2; time++) {
    statuses.push((await request('POST', '/v1/jobs', body, { 'idempotency-key': '' })).status)
  }
  expect(statuses).toEqual([201, 200])
})

test('jobs of one request have keys of their own: with one in the header it is refused', async () => {
  const enqueue = (key: string) =>
    request('POST', '/v1/jobs/bulk', { jobs: [{ definitionKey: 'test' }] }, { 'idempotency-key': key })
  expect(await (await enqueue('once')).json()).toMatchObject({
    status: 400,
    code: 'invalid_request',
    details: [{ path: 'Idempotency-Key', message: expect.stringContaining('jobs.N.idempotencyKey') }],
  })
  expect((await enqueue('')).status).toBe(201)
})

test('the document says where a key may stand in the header', async () => {
  const { paths } = await (await request('GET', '/openapi.json')).json()
  const header = expect.objectContaining({ name: 'idempotency-key', in: 'header' })
  for (const path of ['/v1/jobs', '/v1/videos/encode', '/v1/videos/{jobId}/outputs'])
    expect(paths[path].post.parameters, path).toContainEqual(header)
  expect(paths['/v1/jobs/bulk'].post.description).toContain('Idempotency-Key')
})

test.each([
  ['0', 200],
  ['0.5', 200],
  ['3600', 200],
  ['86400', 200],
  ['123456789012345', 200],
  ['-1', 400],
  ['soon', 400],
  ['', 400],
])('metrics take %j as the age of an answer: %i', async (ttl, status) => {
  expect((await request('GET', `/v1/metrics?ttl=${ttl}`)).status).toBe(status)
})

test('who meets what somebody else holds is told to come again', async () => {
  const hasty = openPool({ DATABASE_URL: database.url, DATABASE_POOL_SIZE: 1 }, 'test')
  onTestFinished(() => hasty.end())
  await hasty`set lock_timeout = '50ms'`
  const { request: ask, lines } = await testApp({ database, bucket }, { sql: hasty })
  await queue.enqueue()
  const { lease } = await queue.claimOne()
  const { jobId } = lease
  await finish(sql, [{ lease, end: { ...failedWith('boom'), retry: false } }])
  await sql.begin(async (tx) => {
    await tx`select from job_server.dead_letters where original_job_id = ${jobId} for update`
    const answer = await ask('POST', `/v1/jobs/${jobId}/retry`)
    expect(answer.status).toBe(503)
    expect(answer.headers.get('retry-after')).toBe('1')
    expect(await answer.json()).toMatchObject({ code: 'busy', error: expect.stringContaining('holds') })
  })
  const failures = lines.filter(({ msg }) => msg.startsWith('request.') && msg !== 'request.answered')
  expect(failures).toMatchObject([{ level: 40, msg: 'request.refused' }])
  expect((await ask('POST', `/v1/jobs/${jobId}/retry`)).status).toBe(201)
})
