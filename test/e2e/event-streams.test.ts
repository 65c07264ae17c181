import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { newId } from '../../core/ids.ts'
import { type EventSource, openEventSource } from '../support/event-source.ts'
import { parseExposition } from '../support/exposition.ts'
import { startServer } from '../support/server.ts'
import { until } from '../support/until.ts'

const server = await startServer({ environment: { STREAM_HEARTBEAT_SECONDS: '1' } })
const { sql } = server.database
const get = async (path: string) => await (await server.request('GET', path)).json()
const streamOf = (jobId: string, lastEventId?: string, query = '') =>
  openEventSource(`${server.url}/v1/jobs/${jobId}/events${query}`, { lastEventId })
const typesOf = ({ events }: EventSource) => events.map(({ eventType }) => eventType)

async function write(jobId: string, eventType: string, payload = {}): Promise<void> {
  await sql`
    insert into job_server.events (job_id, event_type, payload) values (${jobId}, ${eventType}, ${sql.json(payload)})`
}

/** Of a job that nobody will run. */
async function quietJob(): Promise<string> {
  return (await server.enqueue('echo', {}, { delaySeconds: 10_000 })).id
}

async function openStreams(): Promise<number> {
  const samples = parseExposition(await (await server.request('GET', '/metrics')).text())
  return samples.get('job_server_api_event_streams') ?? Number.NaN
}

/** Of this server alone: others stand on the same PostgreSQL. */
async function apiConnections() {
  return await sql<{ application: string }[]>`
    select application_name as application from pg_stat_activity
    where application_name like 'job-server api%' and datname = current_database()`
}

async function memoryMb(): Promise<number> {
  const status = await readFile(`/proc/${server.api.pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024
}

test('a stream tells a job from its beginning to its end, and ends with it', async () => {
  const job = await server.enqueue('echo', { message: 'hello' }, { delaySeconds: 1 })
  const stream = streamOf(job.id)
  await stream.ends()
  expect(stream.status()).toBe(200)
  expect(stream.headers()).toContain('content-type: text/event-stream')
  expect(stream.headers()).toContain('cache-control: no-store')
  expect(typesOf(stream)).toEqual(['queued', 'started', 'succeeded'])
  expect(stream.events).toEqual((await get(`/v1/jobs/${job.id}/events`)).events)

  const again = streamOf(job.id, stream.lastEventId())
  await again.ends()
  expect(again.status()).toBe(204)
})

test('progress and log lines come in the order they were made in, while the job runs', async () => {
  const job = await server.enqueue('process.batch', { items: ['a', 'b', 'c', 'd'], batchSize: 1 })
  const [all, without, some] = [
    streamOf(job.id),
    streamOf(job.id, undefined, '?logs=false'),
    streamOf(job.id, undefined, '?types=started,succeeded'),
  ]
  await Promise.all([all.ends(), without.ends(), some.ends()])
  expect(typesOf(all)).toEqual(expect.arrayContaining(['queued', 'started', 'progress', 'succeeded']))
  expect(typesOf(all).at(-1)).toBe('succeeded')
  expect(typesOf(without)).not.toContain('log')
  expect(typesOf(some)).toEqual(['started', 'succeeded'])
  const ids = all.events.map(({ id }) => Number(id))
  expect([...ids].sort((a, b) => a - b)).toEqual(ids)
})

test.each(['SIGTERM', 'SIGKILL'] as const)(
  'after %s to the API, clients go on where they were',
  async (signal) => {
    const jobId = await quietJob()
    const first = streamOf(jobId)
    await first.receives('queued')
    await write(jobId, 'one')
    await first.receives('one')
    await server.restartApi(signal)
    await first.ends()
    await write(jobId, 'two')
    const second = streamOf(jobId, first.lastEventId())
    await second.receives('two')
    await write(jobId, 'three')
    await second.receives('three')
    expect([...typesOf(first), ...typesOf(second)]).toEqual(['queued', 'one', 'two', 'three'])
    second.close()
  },
)

test('silence is broken, and moves the id on', async () => {
  const jobId = await quietJob()
  const stream = streamOf(jobId)
  await until('the stream to be live', () => stream.heartbeats() >= 3)
  const before = stream.lastEventId()
  await quietJob()
  await until('a heartbeat with another id', () => stream.lastEventId() !== before)
  expect(stream.heartbeats()).toBeGreaterThan(3)
  expect(typesOf(stream)).toEqual(['queued'])
  stream.close()
})

test('a stream that passes over all that comes moves the id on', async () => {
  const jobId = await quietJob()
  const stream = streamOf(jobId, undefined, '?types=succeeded')
  await until('the stream to be live', () => stream.heartbeats() >= 3)
  let isOver = false
  const writing = (async () => {
    while (!isOver) await write(jobId, 'passed.over')
  })()
  const before = { heartbeats: stream.heartbeats(), id: stream.lastEventId() }
  await until('heartbeats between what is passed over', () => stream.heartbeats() >= before.heartbeats + 3)
  expect(stream.lastEventId()).not.toBe(before.id)
  isOver = true
  await writing
  expect(stream.events).toEqual([])
  stream.close()
})

test('the stream of all jobs begins now, is filtered, and goes on', async () => {
  const all = openEventSource(`${server.url}/v1/events`)
  const echoes = openEventSource(`${server.url}/v1/events?definitionKey=echo&types=queued,succeeded`)
  await until('both to be open', () => all.heartbeats() > 0 && echoes.heartbeats() > 0)
  const echo = await server.enqueue('echo')
  const math = await server.enqueue('compute.math', { operation: 'sum', numbers: [1] })
  await all.receives('succeeded', 2)
  await echoes.receives('succeeded')
  expect(new Set(all.events.map(({ jobId }) => jobId))).toEqual(new Set([echo.id, math.id]))
  expect(echoes.events).toMatchObject([
    { jobId: echo.id, eventType: 'queued', definitionKey: 'echo', queue: 'default' },
    { jobId: echo.id, eventType: 'succeeded' },
  ])
  all.close()
  echoes.close()
  const missed = await server.enqueue('echo')
  await missed.reaches('succeeded')
  const again = openEventSource(`${server.url}/v1/events`, { lastEventId: all.lastEventId() })
  await again.receives('succeeded')
  expect(again.events.map(({ jobId }) => jobId)).toEqual([missed.id, missed.id, missed.id])
  again.close()
})

test('without streams the same can be polled, page by page', async () => {
  const start = await get('/v1/events')
  expect(start).toEqual({ events: [], cursor: expect.any(String), more: false })
  const job = await server.enqueue('echo')
  await job.reaches('succeeded')
  const seen: string[] = []
  for (let { cursor, more } = { ...start, more: true }; more; ) {
    const page = await get(`/v1/events?limit=1&after=${encodeURIComponent(cursor)}`)
    seen.push(...page.events.map(({ eventType }: { eventType: string }) => eventType))
    cursor = page.cursor
    more = page.more
  }
  expect(seen).toEqual(['queued', 'started', 'succeeded'])
  const ofJob = await get(`/v1/jobs/${job.id}/events?limit=2`)
  expect(ofJob).toMatchObject({ more: true, events: [{ eventType: 'queued' }, { eventType: 'started' }] })
  const rest = await get(`/v1/jobs/${job.id}/events?after=${encodeURIComponent(ofJob.cursor)}`)
  expect(rest.events).toMatchObject([{ eventType: 'succeeded' }])
})

test('a job may call an event of its own by the name of an end', async () => {
  const jobId = await quietJob()
  const stream = streamOf(jobId)
  await stream.receives('queued')
  await write(jobId, 'succeeded')
  await write(jobId, 'after')
  await stream.receives('after')
  stream.close()
})

test.each([
  [`/v1/jobs/${newId()}/events`, 404],
  ['/v1/jobs/not-an-id/events', 400],
  ['/v1/events?after=yesterday', 400],
  ['/v1/events?limit=0', 400],
  ['/v1/events?logs=perhaps', 400],
])('%s answers %i to who wants a stream', async (path, status) => {
  const refused = openEventSource(`${server.url}${path}`)
  await until('an answer', () => refused.status() === status)
  refused.close()
})

test('a Last-Event-ID that is none is refused', async () => {
  const refused = openEventSource(`${server.url}/v1/events`, { lastEventId: '1:2' })
  await until('an answer', () => refused.status() === 400)
  refused.close()
})

test('a thousand streams cost one connection to the database and little memory, and clients that go leave nothing', async () => {
  const shared = await quietJob()
  const own = await Promise.all(Array.from({ length: 500 }, () => quietJob()))
  const before = await memoryMb()
  const streams = [...own, ...own.map(() => shared)].map((jobId) => streamOf(jobId))
  await Promise.all(streams.map((stream) => stream.receives('queued')))
  expect(await openStreams()).toBe(1000)
  await write(shared, 'news')
  for (const jobId of own) await write(jobId, 'news')
  await Promise.all(streams.map((stream) => stream.receives('news')))
  expect((await memoryMb()) - before).toBeLessThan(150)
  const connections = await apiConnections()
  expect(connections.filter(({ application }) => application.endsWith('listener'))).toHaveLength(1)
  // Those of the pool, and the one that listens.
  expect(connections.length).toBeLessThanOrEqual(5)

  for (const stream of streams) stream.close()
  await until('no stream to be open', async () => (await openStreams()) === 0)
  await until(
    'the listener to be gone',
    async () => !(await apiConnections()).some(({ application }) => application.endsWith('listener')),
  )
})

test('clients that take nothing are held nothing, are cut off, and get the rest when they come back', async () => {
  const jobId = await quietJob()
  const quick = streamOf(jobId)
  const slow = Array.from({ length: 20 }, () => streamOf(jobId))
  await Promise.all([quick, ...slow].map((stream) => stream.receives('queued')))
  for (const stream of slow) stream.pause()
  const before = await memoryMb()
  const text = 'x'.repeat(50_000)
  const count = 1000
  for (let sent = 0; sent < count; sent += 50) {
    await Promise.all(
      Array.from({ length: 50 }, (_, place) => write(jobId, 'large', { place: sent + place, text })),
    )
  }
  await quick.receives('large', count)
  // Held for the twenty it would be 1 GB.
  expect((await memoryMb()) - before).toBeLessThan(200)
  await until('the slow ones to be cut off', async () => (await openStreams()) === 1)

  const [one] = slow
  one?.resume()
  await one?.ends()
  const rest = streamOf(jobId, one?.lastEventId())
  const ids = () => [...(one?.events ?? []), ...rest.events].map(({ id }) => id).sort()
  await until('all events', () => ids().length > count)
  expect(ids()).toEqual(quick.events.map(({ id }) => id).sort())
  for (const stream of [...slow, rest, quick]) stream.close()
})
