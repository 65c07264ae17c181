import { beforeEach, expect, test } from 'vitest'
import { newId } from '../../../core/ids.ts'
import { finish } from '../../../core/queue/finish.ts'
import { testApp } from '../../support/app.ts'
import { testDatabase } from '../../support/database.ts'
import { failedWith, testQueue } from '../../support/queue.ts'
import { testStorage } from '../../support/storage.ts'

const database = await testDatabase()
const { sql } = database
const { request } = await testApp({ database, bucket: await testStorage() })
const old = { key: 'send.mail' }

beforeEach(async () => {
  await testQueue(sql, old, { ...old, version: 2 }, { key: 'mail.send' })
  await sql`update job_server.definitions set registered_at = now() - interval '1 hour'`
})

const remove = (path: string) => request('DELETE', `/v1/definitions/${path}`)
const enqueue = () => request('POST', '/v1/jobs', { definitionKey: 'send.mail' })
const bodyOf = async (answer: Response | Promise<Response>) => await (await answer).json()

async function listed(): Promise<string[]> {
  const { definitions } = await bodyOf(request('GET', '/v1/definitions'))
  return definitions.map(({ key, version }: { key: string; version: number }) => `${key}@${version}`)
}

test('a definition is removed by key and version; what was known of it enqueues nothing any more', async () => {
  const { jobId } = await bodyOf(enqueue())
  const busy = await remove('send.mail/1')
  expect(busy.status).toBe(409)
  expect(busy.headers.get('content-type')).toBe('application/problem+json')
  expect(await bodyOf(busy)).toMatchObject({
    code: 'definition_in_use',
    detail: 'Definition "send.mail" version 1 can\'t be removed: one of its jobs has not ended.',
  })
  await request('POST', `/v1/jobs/${jobId}/cancel`)

  const removed = await remove('send.mail/1')
  expect([removed.status, await removed.text()]).toEqual([204, ''])
  expect(await listed()).toEqual(['mail.send@1', 'send.mail@2'])
  for (let again = 0; again < 2; again++) {
    const refused = await enqueue()
    expect(refused.status).toBe(404)
    expect(await bodyOf(refused)).toMatchObject({ code: 'definition_not_found' })
  }
  expect((await remove('send.mail/1')).status).toBe(404)
  expect((await sql`select from job_server.jobs`).count).toBe(0)
})

test('what ran of it can be read, listed and counted, and is not run again', async () => {
  const queue = await testQueue(sql, old)
  const jobId = await queue.enqueue()
  const { lease } = await queue.claimOne()
  await finish(sql, [{ lease, end: { ...failedWith('boom'), retry: false } }])
  await sql`update job_server.definitions set registered_at = now() - interval '1 hour'`
  expect((await remove('send.mail/1')).status).toBe(204)

  expect(await bodyOf(request('GET', `/v1/jobs/${jobId}`))).toMatchObject({
    definitionKey: 'send.mail',
    status: 'failed',
    errorSummary: 'It went boom.',
  })
  expect(await bodyOf(request('GET', '/v1/jobs?definitionKey=send.mail&status=failed'))).toMatchObject({
    total: 1,
  })
  const { definitions } = await bodyOf(request('GET', '/v1/metrics/definitions'))
  expect(definitions).toContainEqual(expect.objectContaining({ definitionKey: 'send.mail' }))
  const { jobs } = await bodyOf(request('GET', '/v1/dlq?definitionKey=send.mail'))
  const [{ dlqJobId }] = jobs
  for (const [path, body] of [
    [`/v1/dlq/${dlqJobId}/retry`, undefined],
    [`/v1/jobs/${jobId}/retry`, undefined],
    ['/v1/dlq/redrive', { definitionKey: 'send.mail' }],
  ] as const) {
    const refused = await request('POST', path, body)
    expect(refused.status, path).toBe(404)
    expect(await bodyOf(refused), path).toMatchObject({
      code: 'definition_not_found',
      detail: 'No definition "send.mail" version 1 is registered.',
    })
  }
  expect(await bodyOf(request('GET', `/v1/dlq/${dlqJobId}`))).toMatchObject({ originalJobId: jobId })
  expect((await request('POST', `/v1/dlq/${newId()}/retry`)).status).toBe(404)
})

test.each(['send.mail/0', 'send.mail/latest', `${'x'.repeat(256)}/1`])('%s names none', async (path) => {
  expect((await remove(path)).status).toBe(400)
})

test('a key is any text', async () => {
  const key = 'mail/send 100%'
  await testQueue(sql, { key })
  await sql`update job_server.definitions set registered_at = now() - interval '1 hour'`
  expect((await remove(`${encodeURIComponent(key)}/1`)).status).toBe(204)
  expect(await listed()).not.toContain(`${key}@1`)
})
