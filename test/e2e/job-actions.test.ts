/** What clients do to jobs that are there. */
import { expect, test } from 'vitest'
import { newId } from '../../core/ids.ts'
import { startServer } from '../support/server.ts'
import { until } from '../support/until.ts'
import { problemOf } from '../support/video-client.ts'

const server = await startServer()
const { request } = server
const post = (path: string, body?: unknown) => request('POST', path, body)
const get = async (path: string) => await (await request('GET', path)).json()

test('a wait ends when the job does, long before its time is up', async () => {
  const job = await server.enqueue('echo', { message: 'soon' }, { delaySeconds: 1 })
  const answer = await (await post(`/v1/jobs/${job.id}/wait?timeout=60`)).json()
  expect(answer).toMatchObject({ jobId: job.id, status: 'succeeded', result: { message: 'soon' } })
})

test('a wait whose time is up answers with the job as it is', async () => {
  const job = await server.enqueue('echo', {}, { delaySeconds: 1000 })
  const answer = await (await post(`/v1/jobs/${job.id}/wait?timeout=1`)).json()
  expect(answer).toMatchObject({ status: 'queued', finishedAt: null })
  await problemOf(await post(`/v1/jobs/${newId()}/wait`), 404, 'job_not_found')
  await problemOf(await post(`/v1/jobs/${job.id}/wait?timeout=301`), 400, 'invalid_request')
})

test('an API that stops answers who waits, with the job as it is', async () => {
  const job = await server.enqueue('echo', {}, { delaySeconds: 1000 })
  let answered = false
  const answer = post(`/v1/jobs/${job.id}/wait?timeout=300`).finally(() => {
    answered = true
  })
  // That it has come the database knows: there the wait looks.
  await until('the wait to be under way', async () => {
    const looks = await server.database.sql`
      select from pg_stat_activity
      where application_name = 'job-server api' and query like 'select id from job_server.jobs where id = any(%'`
    return looks.length > 0
  })
  expect(answered).toBe(false)
  await server.restartApi('SIGTERM')
  expect(await (await answer).json()).toMatchObject({ jobId: job.id, status: 'queued' })
})

test('fifty who wait for one job each hear of its end', async () => {
  const jobs = await Promise.all(
    Array.from({ length: 50 }, () => server.enqueue('echo', {}, { delaySeconds: 1 })),
  )
  const answers = await Promise.all(jobs.map(async ({ id }) => (await post(`/v1/jobs/${id}/wait`)).json()))
  expect(answers.map(({ status }) => status)).toEqual(jobs.map(() => 'succeeded'))
})

test('a delayed job can be brought forward, and one that waits put off', async () => {
  const job = await server.enqueue('echo', {}, { delaySeconds: 1000 })
  const later = new Date(Date.now() + 5_000_000).toISOString()
  const put = await request('PATCH', `/v1/jobs/${job.id}`, { scheduledAt: later, priority: 7 })
  expect(await put.json()).toMatchObject({ status: 'queued', scheduledAt: later, priority: 7 })
  expect((await request('PATCH', `/v1/jobs/${job.id}`, { scheduledAt: null })).status).toBe(200)
  await job.reaches('succeeded')
  const types = (await job.events()).map(({ eventType }) => eventType)
  expect(types).toEqual(['queued', 'updated', 'updated', 'started', 'succeeded'])
  await problemOf(await request('PATCH', `/v1/jobs/${job.id}`, { priority: 1 }), 409, 'job_not_in_status')
})

test('a job with a concurrency key comes back to its line when it is brought forward', async () => {
  const job = await server.enqueue('echo', {}, { delaySeconds: 1000, concurrencyKey: 'k' })
  await request('PATCH', `/v1/jobs/${job.id}`, { scheduledAt: null })
  await job.reaches('succeeded')
})

test.each([
  ['nothing', {}],
  ['a word it does not know', { prioriti: 1 }],
  ['a year that can not be', { scheduledAt: '9999-12-31T23:59:59-12:00' }],
  ['a fraction', { priority: 1.5 }],
])('a change is refused for %s', async (_what, change) => {
  const job = await server.enqueue('echo', {}, { delaySeconds: 1000 })
  await problemOf(await request('PATCH', `/v1/jobs/${job.id}`, change), 400, 'invalid_request')
})

test('a finished job is retried as a new one, a failed one once however often it is asked for', async () => {
  const done = await server.enqueue('echo', { message: 'again' }, { tags: ['t'], metadata: { a: 1 } })
  await done.reaches('succeeded')
  const retried = await post(`/v1/jobs/${done.id}/retry`)
  expect(retried.status).toBe(201)
  const { jobId } = await retried.json()
  expect(jobId).not.toBe(done.id)
  expect(await server.job(jobId).reaches('succeeded')).toMatchObject({
    result: { message: 'again' },
    tags: ['t'],
    metadata: { a: 1 },
  })
  expect((await done.events()).at(-1)).toMatchObject({ eventType: 'retried', payload: { jobId } })

  const failed = await server.enqueue('failing', {}, { maxAttempts: 1 })
  await failed.reaches('failed')
  const first = await (await post(`/v1/jobs/${failed.id}/retry`)).json()
  const second = await (await post(`/v1/jobs/${failed.id}/retry`)).json()
  expect(first).toMatchObject({ message: 'The job is queued again.' })
  expect(second).toMatchObject({ jobId: first.jobId, message: 'The job was retried before.' })
  await server.job(first.jobId).reaches('failed')
  expect((await request('DELETE', `/v1/jobs/${first.jobId}`)).status).toBe(204)
  const third = await (await post(`/v1/jobs/${failed.id}/retry`)).json()
  expect(third).toMatchObject({ status: 'queued', message: 'The job is queued again.' })
  expect(third.jobId).not.toBe(first.jobId)
  const waiting = await server.enqueue('echo', {}, { delaySeconds: 1000 })
  await problemOf(await post(`/v1/jobs/${waiting.id}/retry`), 409, 'job_not_in_status')
})

test('a finished job is removed with all that is kept of it; its idempotency key is free again', async () => {
  const key = { idempotencyKey: newId() }
  const job = await server.enqueue('failing', {}, { maxAttempts: 1, ...key })
  await problemOf(await request('DELETE', `/v1/jobs/${newId()}`), 404, 'job_not_found')
  await job.reaches('failed')
  expect((await request('DELETE', `/v1/jobs/${job.id}`)).status).toBe(204)
  for (const path of ['', '/events', '/logs']) {
    expect((await request('GET', `/v1/jobs/${job.id}${path}`)).status).toBe(404)
  }
  const { jobs } = await get('/v1/dlq?definitionKey=failing&limit=1000')
  expect(jobs.map(({ originalJobId }: { originalJobId: string }) => originalJobId)).not.toContain(job.id)
  const rows = await server.database.sql`
    select from job_server.attempts where job_id = ${job.id}
    union all select from job_server.events where job_id = ${job.id}
    union all select from job_server.logs where job_id = ${job.id}`
  expect(rows).toHaveLength(0)
  const again = await post('/v1/jobs', { definitionKey: 'failing', params: {}, ...key })
  expect(again.status).toBe(201)
  const live = await server.enqueue('echo', {}, { delaySeconds: 1000 })
  await problemOf(await request('DELETE', `/v1/jobs/${live.id}`), 409, 'job_not_in_status')
})

test('a child is removed only once its parent has ended', async () => {
  const { sql } = server.database
  const parent = await server.enqueue('echo', {}, { delaySeconds: 1000 })
  const child = await server.enqueue('echo', {})
  await child.reaches('succeeded')
  await sql`update job_server.job_history set parent_id = ${parent.id} where id = ${child.id}`
  const refused = await problemOf(await request('DELETE', `/v1/jobs/${child.id}`), 409, 'job_in_use')
  expect(refused.detail).toContain(`its parent, job ${parent.id}, has not ended`)
  expect(await child.read()).toMatchObject({ status: 'succeeded' })
  await post(`/v1/jobs/${parent.id}/cancel`)
  expect((await request('DELETE', `/v1/jobs/${child.id}`)).status).toBe(204)
})

test('a removed job keeps no equal one from being enqueued', async () => {
  const wanted = { definitionKey: 'echo', params: { message: newId() }, uniqueFor: 1000 }
  const { jobId } = await (await post('/v1/jobs', wanted)).json()
  await server.job(jobId).reaches('succeeded')
  expect((await post('/v1/jobs', wanted)).status).toBe(200)
  await request('DELETE', `/v1/jobs/${jobId}`)
  expect((await post('/v1/jobs', wanted)).status).toBe(201)
})

test('jobs are found by tag, and cancelled by it', async () => {
  const jobs = [
    await server.enqueue('echo', {}, { delaySeconds: 1000, tags: ['blue', 'a b&c'] }),
    await server.enqueue('echo', {}, { delaySeconds: 1000, tags: ['blue'] }),
  ]
  const ids = jobs.map(({ id }) => id)
  const idsIn = (list: { jobs: { jobId: string }[] }) => list.jobs.map(({ jobId }) => jobId)
  expect(idsIn(await get('/v1/jobs?tag=blue'))).toEqual(ids.toReversed())
  expect(idsIn(await get('/v1/jobs?tag=blue&tag=a%20b%26c'))).toEqual([ids[0]])
  const cancelled = await (await post('/v1/jobs/cancel', { tags: ['blue'] })).json()
  expect(cancelled).toEqual({ cancelled: ids, cancelling: [] })
})

test.each([
  ['no word that says which', 'jobs/cancel', { limit: 10 }],
  ['an empty list of tags', 'jobs/cancel', { tags: [] }],
  ['a word that it does not know', 'jobs/cancel', { definitionKey: 'echo', tag: 'nightly' }],
  ['a word that it does not know', 'dlq/redrive', { definition: 'echo' }],
])('what is done to many is refused for %s: %s %o', async (_what, path, body) => {
  const job = await server.enqueue('echo', {}, { delaySeconds: 1000 })
  await problemOf(await post(`/v1/${path}`, body), 400, 'invalid_request')
  expect(await job.read()).toMatchObject({ status: 'queued' })
})

test('ids may be in capital letters', async () => {
  const job = await server.enqueue('echo', {}, { delaySeconds: 1000 })
  const dependent = await server.enqueue('echo', {}, { dependsOn: [job.id.toUpperCase()] })
  expect((await post(`/v1/jobs/${job.id.toUpperCase()}/cancel`)).status).toBe(202)
  await dependent.reaches('cancelled')
  const soon = await server.enqueue('echo', {}, { delaySeconds: 1 })
  const answer = await (await post(`/v1/jobs/${soon.id.toUpperCase()}/wait?timeout=60`)).json()
  expect(answer).toMatchObject({ jobId: soon.id, status: 'succeeded' })
})

test('a body that may be left out may be left out with its type named', async () => {
  const job = await server.enqueue('failing', {}, { maxAttempts: 1 })
  await job.reaches('failed')
  const { jobs } = await get('/v1/dlq?definitionKey=failing&limit=1000')
  const letter = jobs.find(({ originalJobId }: { originalJobId: string }) => originalJobId === job.id)
  const retry = (body: string, type: string) =>
    fetch(`${server.url}/v1/dlq/${letter.dlqJobId}/retry`, {
      method: 'POST',
      body,
      headers: { 'content-type': type },
    })
  expect((await retry('{', 'application/json')).status).toBe(400)
  expect((await retry('{}', 'text/plain')).status).toBe(415)
  expect((await retry('', 'application/json')).status).toBe(201)
})

test('a list is walked by its cursor to the end', async () => {
  await Promise.all(
    Array.from({ length: 5 }, () => server.enqueue('echo', {}, { delaySeconds: 1000, tags: ['walk'] })),
  )
  const first = await get('/v1/jobs?tag=walk&limit=2')
  const seen: string[] = []
  let cursor: string | null = ''
  while (cursor !== null) {
    const page = await get(`/v1/jobs?tag=walk&limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`)
    expect('total' in page).toBe(cursor === '')
    seen.push(...page.jobs.map(({ jobId }: { jobId: string }) => jobId))
    cursor = page.nextCursor
  }
  expect(new Set(seen).size).toBe(5)
  expect(seen).toEqual(seen.toSorted().reverse())
  expect(await get('/v1/jobs?tag=walk&total=false')).not.toHaveProperty('total')
  expect(await get(`/v1/jobs?tag=walk&total=true&cursor=${first.nextCursor}`)).toMatchObject({ total: 5 })
  for (const wrong of ['x', newId(), 'djE6eA', '%00', 'a'.repeat(300)]) {
    await problemOf(await request('GET', `/v1/jobs?cursor=${wrong}`), 400, 'invalid_request')
  }
})

test('a parent tells how its children are', async () => {
  const { sql } = server.database
  const parent = await server.enqueue('echo', {})
  await parent.reaches('succeeded')
  const child = await server.enqueue('echo', {}, { delaySeconds: 1000 })
  await sql`update job_server.jobs set parent_id = ${parent.id} where id = ${child.id}`
  expect(await get(`/v1/jobs/${parent.id}`)).toMatchObject({ children: { queued: 1 }, parentId: null })
  expect(await get(`/v1/jobs/${child.id}`)).toMatchObject({ children: null, parentId: parent.id })
  // Upkeep cancels it, as its parent has ended.
  await request('POST', `/v1/jobs/${child.id}/cancel`)
  await until('the child to be cancelled', async () => (await child.read()).status === 'cancelled')
  expect(await get(`/v1/jobs/${parent.id}`)).toMatchObject({ children: { cancelled: 1 } })
})

test.each([
  ['a tag with a NUL', { tags: ['a\0'] }],
  ['fifty-one tags', { tags: Array.from({ length: 51 }, (_, index) => `${index}`) }],
  ['metadata beyond 16 KiB', { metadata: { a: 'x'.repeat(17_000) } }],
  ['metadata that is a list', { metadata: [] }],
])('an enqueue is refused for %s', async (_what, more) => {
  await problemOf(await post('/v1/jobs', { definitionKey: 'echo', ...more }), 400, 'invalid_request')
})
