import { expect, test } from 'vitest'
import { createKey } from '../../../core/keys/create.ts'
import { revokeKey } from '../../../core/keys/revoke.ts'
import { cancel } from '../../../core/queue/cancel.ts'
import { testApp } from '../../support/app.ts'
import { testDatabase } from '../../support/database.ts'
import { testQueue } from '../../support/queue.ts'
import { testStorage } from '../../support/storage.ts'
import { until } from '../../support/until.ts'

const database = await testDatabase()
const { sql } = database
const bucket = await testStorage()
const queue = await testQueue(sql)
const few = { STREAM_HEARTBEAT_SECONDS: '1', MAX_OPEN_STREAMS: '2', MAX_OPEN_WAITS: '2' }
type Request = Awaited<ReturnType<typeof testApp>>['request']

async function newCaller(request: Request) {
  const { key, secret } = await createKey(sql, { name: 'follower', scopes: ['read'] })
  const call = (method: string, path: string, headers = {}) =>
    request(method, path, undefined, { authorization: `Bearer ${secret}`, ...headers })
  return { key, call, stream: (method = 'GET') => call(method, '/v1/events', asStream) }
}
const asStream = { accept: 'text/event-stream' }

/** Begun by what it says first. */
async function readerOf(answer: Response) {
  expect(answer.status).toBe(200)
  const reader = answer.body?.getReader()
  if (reader === undefined) throw new Error('a stream without a body')
  await reader.read()
  return reader
}

async function ends(reader: { read(): Promise<{ done: boolean }> }): Promise<void> {
  while (!(await reader.read()).done);
}

test('a stream that was opened without a key ends when keys are needed', async () => {
  const { request } = await testApp({ database, bucket }, { environment: few })
  const reader = await readerOf(await request('GET', '/v1/events', undefined, asStream))
  await createKey(sql, { name: 'first', scopes: ['read'] })
  await ends(reader)
  expect((await request('GET', '/v1/events', undefined, asStream)).status).toBe(401)
})

test('a stream ends soon after its key was revoked, whether there is news or not', async () => {
  const { request } = await testApp({ database, bucket }, { environment: few })
  const { key, call, stream } = await newCaller(request)
  const [quiet, other] = [await readerOf(await stream()), await newCaller(request)]
  const kept = await readerOf(await other.stream())
  const jobId = await queue.enqueue({ delaySeconds: 1000 })
  const busy = await readerOf(await call('GET', `/v1/jobs/${jobId}/events`, asStream))
  let isOver = false
  const writing = (async () => {
    while (!isOver) await sql`insert into job_server.events (job_id, event_type) values (${jobId}, 'news')`
  })()
  let isKept = true
  const keeping = ends(kept).then(() => {
    isKept = false
  })
  await revokeKey(sql, key.id)
  await Promise.all([ends(quiet), ends(busy)])
  isOver = true
  await writing
  expect((await stream()).status).toBe(401)
  expect(isKept, 'the stream of another key').toBe(true)
  await kept.cancel()
  await keeping
})

test('a caller has a bounded number of streams open, and may open others for those that ended', async () => {
  const { request } = await testApp({ database, bucket }, { environment: few })
  const { stream } = await newCaller(request)
  for (let count = 0; count < 5; count++) await stream('HEAD')
  const [first] = [await readerOf(await stream()), await readerOf(await stream())]
  const refused = await stream()
  expect(refused.status).toBe(429)
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
  expect(await refused.json()).toMatchObject({
    code: 'rate_limited',
    detail: expect.stringContaining('at most 2'),
  })
  const other = await newCaller(request)
  await (await readerOf(await other.stream())).cancel()
  await first.cancel()
  await until('room for another', async () => {
    const answer = await stream()
    await answer.body?.cancel()
    return answer.status === 200
  })
})

test('a caller has a bounded number of waits under way, and may wait again after those', async () => {
  const { request } = await testApp({ database, bucket }, { environment: few })
  const { call } = await newCaller(request)
  const jobId = await queue.enqueue({ delaySeconds: 1000 })
  const wait = (seconds: number) => call('POST', `/v1/jobs/${jobId}/wait?timeout=${seconds}`)
  const waits = [wait(120), wait(120), wait(120)]
  expect((await Promise.race(waits)).status).toBe(429)
  await cancel(sql, jobId)
  const statuses = (await Promise.all(waits)).map(({ status }) => status)
  expect(statuses.sort()).toEqual([200, 200, 429])
  expect((await wait(0)).status).toBe(200)
})
