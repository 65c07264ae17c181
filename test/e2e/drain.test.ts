import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { listWorkers } from '../../core/workers/read.ts'
import { chaosJobs, openLedger } from '../support/ledger.ts'
import { startServer } from '../support/server.ts'
import { until } from '../support/until.ts'

const server = await startServer({
  workers: 0,
  environment: { JOBS_DIR: chaosJobs, SHUTDOWN_GRACE_SECONDS: '60' },
})

async function tickingJob(seconds: number) {
  const ledger = openLedger()
  const job = await server.enqueue('chaos.tick', { ledger: ledger.path, seconds })
  await until('the job to tick', async () => (await ledger.ticks()).size > 0)
  return job
}

test('on SIGTERM what ends within the grace ends, and nothing new is claimed', async () => {
  const worker = await server.startWorker()
  const job = await tickingJob(2)
  worker.signal('SIGTERM')
  await until('the worker to drain', () => worker.lastLines.includes('worker.draining'))
  const late = await server.enqueue('echo')
  expect(await worker.exited).toBe(0)
  expect(await job.read()).toMatchObject({ status: 'succeeded', attempts: 1 })
  expect(await late.read()).toMatchObject({ status: 'queued', attempts: 0 })
})

test('what does not end within the grace goes back at once, and no attempt is spent', async () => {
  const worker = await server.startWorker({ SHUTDOWN_GRACE_SECONDS: '0' })
  const job = await tickingJob(60)
  await worker.stop(60)
  expect(await job.read()).toMatchObject({ status: 'queued', attempts: 0 })
  expect((await job.events()).at(-1)).toMatchObject({ eventType: 'interrupted' })
  await server.request('POST', `/v1/jobs/${job.id}/cancel`)
})

test('a worker that drains counts as alive as long as its jobs run, with the slots that they take', async () => {
  const { sql } = server.database
  const worker = await server.startWorker({ SHUTDOWN_GRACE_SECONDS: '600' })
  const job = await tickingJob(600)
  worker.signal('SIGTERM')
  await until('the worker to drain', () => worker.lastLines.includes('worker.draining'))
  await sql`update job_server.workers set heartbeat_at = now() - interval '1 minute' where kind = 'worker'`
  const alive = await until('another sign of life', async () => {
    return (await listWorkers(sql)).find((other) => other.kind === 'worker' && other.alive)
  })
  expect(alive).toMatchObject({ slots: 1, runningJobs: 1, info: { definitions: [], schedules: [] } })
  worker.signal('SIGTERM')
  expect(await worker.exited).toBe(0)
  expect((await listWorkers(sql)).filter(({ kind }) => kind === 'worker')).toEqual([])
  await server.request('POST', `/v1/jobs/${job.id}/cancel`)
})

test('a worker drains while the end of an attempt that it could not carry out is still being written', async () => {
  const worker = await server.startWorker()
  // No attempt finds a place to work in any more.
  await rm(join(server.scratch, 'job-server-scratch'), { recursive: true })
  const job = await server.database.sql.begin(async (tx) => {
    // A claim writes no attempts; the end of one does.
    await tx`lock table job_server.attempts in share mode`
    const job = await server.enqueue('echo')
    await until('the attempt to break', () => worker.lastLines.includes('attempt.broken'))
    worker.signal('SIGTERM')
    await until('the worker to drain', () => worker.lastLines.includes('worker.draining'))
    // By then it has come to wait for that end.
    await Bun.sleep(500)
    return job
  })
  expect(await worker.exited).toBe(0)
  expect(await job.read()).toMatchObject({ status: 'queued', attempts: 0 })
  await server.request('POST', `/v1/jobs/${job.id}/cancel`)
})

test('a second signal ends the grace', async () => {
  const worker = await server.startWorker({ SHUTDOWN_GRACE_SECONDS: '600' })
  const job = await tickingJob(600)
  worker.signal('SIGTERM')
  await until('the worker to drain', () => worker.lastLines.includes('worker.draining'))
  worker.signal('SIGTERM')
  expect(await worker.exited).toBe(0)
  expect(await job.read()).toMatchObject({ status: 'queued', attempts: 0 })
  await server.request('POST', `/v1/jobs/${job.id}/cancel`)
})
