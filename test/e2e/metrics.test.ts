import { expect, test } from 'vitest'
import { parseExposition } from '../support/exposition.ts'
import { jobDirectory, jobFile } from '../support/job-files.ts'
import { startServer } from '../support/server.ts'
import { until } from '../support/until.ts'

const jobs = await jobDirectory({
  'hangs.ts': jobFile({ key: 'hangs', run: '() => new Promise(() => {})' }),
})
const server = await startServer({ environment: { JOBS_DIR: jobs.path } })
const get = async (path: string) => await (await server.request('GET', path)).json()
const noJobs = { queued: 0, running: 0, succeeded: 0, failed: 0, cancelling: 0, cancelled: 0 }

test('before the first job there is nothing to count', async () => {
  expect(await get('/v1/metrics')).toEqual({
    summary: { total: 0, byStatus: noJobs },
    liveCountedAt: null,
    performance: { successRate: 0, avgProcessingTime: null, avgQueueTime: null, retryRate: 0 },
    throughput: { lastHour: 0, lastDay: 0, lastWeek: 0 },
  })
  expect(await get('/v1/metrics/definitions')).toEqual({ definitions: [] })
})

test('metrics tell what happened as soon as it has', async () => {
  await (await server.enqueue('echo')).reaches('succeeded')
  const failing = await server.enqueue('failing', {}, { maxAttempts: 2, backoff: { baseSeconds: 0 } })
  await failing.reaches('failed')
  await server.enqueue('echo', {}, { delaySeconds: 1000 })

  const { summary, performance, throughput } = await get('/v1/metrics')
  expect(summary).toEqual({ total: 3, byStatus: { ...noJobs, queued: 1, succeeded: 1, failed: 1 } })
  expect(performance).toEqual({
    successRate: 0.5,
    avgProcessingTime: expect.any(Number),
    avgQueueTime: expect.any(Number),
    retryRate: 0.5,
  })
  expect(throughput).toEqual({ lastHour: 1, lastDay: 1, lastWeek: 1 })
  expect(await get('/v1/metrics/performance')).toEqual(performance)

  const { definitions } = await get('/v1/metrics/definitions')
  expect(definitions).toEqual([
    {
      definitionKey: 'echo',
      definitionVersion: 1,
      total: 2,
      byStatus: { ...noJobs, queued: 1, succeeded: 1 },
      successRate: 1,
      avgProcessingTime: expect.any(Number),
      avgQueueTime: expect.any(Number),
    },
    expect.objectContaining({ definitionKey: 'failing', total: 1, successRate: 0 }),
  ])

  const { data } = await get('/v1/metrics/throughput')
  expect(data).toHaveLength(24)
  expect(data.at(-1).period).toMatch(/:00:00\.000Z$/)
  // An hour may have ended since.
  const [before, now] = data.slice(-2)
  expect([before.completed + now.completed, before.failed + now.failed]).toEqual([1, 1])
})

test('an older answer is given to who is content with one', async () => {
  const { summary } = await get('/v1/metrics?ttl=60')
  await (await server.enqueue('echo')).reaches('succeeded')
  expect((await get('/v1/metrics?ttl=60')).summary).toEqual(summary)
  expect((await get('/v1/metrics')).summary.total).toBe(summary.total + 1)
})

test.each(['throughput?hours=0', 'throughput?hours=169', 'throughput?hours=x', '?ttl=-1', '?ttl=soon'])(
  '%s is refused',
  async (query) => {
    const path = query.startsWith('?') ? `/v1/metrics${query}` : `/v1/metrics/${query}`
    expect((await server.request('GET', path)).status).toBe(400)
  },
)

test('Prometheus gets all of it in its own format', async () => {
  await server.request('GET', '/v1/no/such/place')
  await server.request('GET', '/v1/jobs/not-an-id')
  const response = await server.request('GET', '/metrics')
  expect(response.headers.get('content-type')).toContain('text/plain; version=0.0.4')
  const samples = parseExposition(await response.text())
  const expected = {
    'job_server_jobs{queue="default",definition="echo",version="1",state="scheduled"}': 1,
    'job_server_jobs_finished_total{definition="failing",version="1",status="failed"}': 1,
    'job_server_attempts_total{definition="failing",version="1",outcome="threw"}': 2,
    'job_server_attempt_run_seconds_count{definition="failing",version="1"}': 2,
    'job_server_attempt_run_seconds_bucket{definition="failing",version="1",le="+Inf"}': 2,
    'job_server_dead_letters{definition="failing"}': 1,
    'job_server_workers{kind="worker"}': 1,
    'job_server_workers{kind="scheduler"}': 0,
    'job_server_slots{kind="worker"}': 4,
    job_server_api_pool_size: 4,
  }
  expect(Object.fromEntries(samples)).toMatchObject(expected)
  const valuesOf = (start: string) =>
    [...samples].filter(([key]) => key.startsWith(start)).map(([, value]) => value)
  expect(valuesOf('job_server_claim_wait_seconds_count{queue="default"}')).toEqual([4])
  expect(valuesOf('job_server_xmin_age_transactions')[0]).toBeGreaterThanOrEqual(0)
  expect(valuesOf('job_server_dead_tuples{table="jobs"}')).toHaveLength(1)
  expect(valuesOf('job_server_connections{program="api"').length).toBeGreaterThan(0)
  expect(
    valuesOf('job_server_http_request_seconds_count{method="GET",route="/v1/jobs/:jobId",status="400"}'),
  ).toEqual([1])
  expect(
    valuesOf('job_server_http_request_seconds_count{method="GET",route="unknown",status="404"}'),
  ).toEqual([1])
  expect(valuesOf('process_resident_memory_bytes')[0]).toBeGreaterThan(1e7)
})

test('what a worker alone knows comes with its next sign of life', async () => {
  const hanging = await server.enqueue('hangs')
  await hanging.reaches('running')
  await server.request('POST', `/v1/jobs/${hanging.id}/cancel`)
  await hanging.reaches('cancelled')
  const samples = await until('the worker to tell of the cancel', async () => {
    const found = parseExposition(await (await server.request('GET', '/metrics')).text())
    return found.get('job_server_cancel_seconds_count{worker="worker-1"}') === 1 && found
  })
  const ofWorker = (name: string, labels = '') => samples.get(`${name}{worker="worker-1"${labels}}`)
  expect(ofWorker('job_server_cancel_seconds_sum')).toBeGreaterThan(0)
  const taken = ['standby', 'spawned', 'used'].map(
    (from) => ofWorker('job_server_processes_taken_total', `,from="${from}"`) ?? Number.NaN,
  )
  expect(taken.reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(5)
  expect(taken[0], 'processes that stood by').toBeGreaterThan(0)
  expect(ofWorker('job_server_stale_finish_total')).toBe(0)
  expect(ofWorker('job_server_worker_spans_dropped_total')).toBe(0)
  expect(ofWorker('job_server_worker_pool_size')).toBe(4)
  expect(ofWorker('job_server_worker_resident_memory_bytes')).toBeGreaterThan(1e7)
})
