import { mkdir, readdir } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { inspect, testClips } from '../support/clips.ts'
import { leftovers, toolsOf } from '../support/leftovers.ts'
import { startServer, type TestJob } from '../support/server.ts'
import { until } from '../support/until.ts'
import { encodeByLink, statusOf } from '../support/video-client.ts'

const clips = await testClips()
const slow = await clips.slowFfmpeg()
const server = await startServer({
  workers: 0,
  environment: { FFMPEG_PATH: slow.path, LEASE_DURATION_SECONDS: '4' },
})

/** It takes longer than to kill a worker, on any machine. */
async function longClip(): Promise<string> {
  return await clips.make({ name: 'long.mp4', size: '64x36', seconds: 60 })
}

async function isUnderWay(job: TestJob): Promise<void> {
  await until(`job ${job.id} to be under way`, async () => {
    const { progress } = await statusOf(server, job)
    return progress?.phase === 'encoding' && progress.percent > 0
  })
  expect(await toolsOf(server)).toHaveLength(1)
}

const outputsOf = async (job: TestJob) =>
  (await server.bucket.keys()).filter((key) => key.startsWith(`outputs/${job.id}/`))

async function expectOneWholeResult(job: TestJob, clip: string): Promise<void> {
  const outputs = await outputsOf(job)
  expect(outputs).toHaveLength(1)
  const bytes = await (await fetch(`${server.url}/v1/videos/${job.id}/download`)).bytes()
  const encoded = await inspect(await clips.write(`${job.id}.mp4`, bytes))
  expect(encoded.video.frameCount).toBe((await inspect(clip)).video.frameCount)
}

/** Whether the coordinator, or what it left, still takes up room. */
async function hasScratch({ pid }: { pid: number }): Promise<boolean> {
  const names = await readdir(join(server.scratch, 'job-server-scratch'))
  return names.some((name) => name.endsWith(`.${pid}`))
}

test('a worker killed after it stored the output, but before it could say so, leaves one result all the same', async () => {
  // The lease does not end by itself while we hold the row.
  const dying = await server.startWorker({ LEASE_DURATION_SECONDS: '600' })
  const clip = await clips.make({ name: 'short.mp4', seconds: 4 })
  const job = await encodeByLink(server, clip)
  await job.reaches('running')
  const { sql } = server.database
  const [stored] = await sql.begin(async (tx) => {
    // Whoever holds the row keeps the end of the attempt from being written.
    await tx`select id from job_server.jobs where id = ${job.id} for update`
    const outputs = await until('the output to be stored', async () => {
      const keys = await outputsOf(job)
      return keys.length > 0 && keys
    })
    dying.signal('SIGKILL')
    await dying.exited
    // PostgreSQL would carry out what the dead client had asked for once the row is free.
    await sql`
      select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and application_name = ${`job-server worker ${dying.name}`}`
    return outputs
  })
  await sql`update job_server.jobs set lease_expires_at = now() - interval '1 second' where id = ${job.id}`
  const heir = await server.startWorker()
  const finished = await job.reaches('succeeded')
  expect(finished.attemptHistory).toMatchObject([
    { workerId: dying.name, outcome: 'lease_expired' },
    { workerId: heir.name, outcome: 'succeeded' },
  ])
  await until('the output of the dead attempt to go', async () => (await outputsOf(job)).length === 1)
  expect(await outputsOf(job)).not.toContain(stored)
  await expectOneWholeResult(job, clip)
  await heir.stop(60)
})

test('an encode whose worker is killed is finished once, by another worker', async () => {
  const dying = await server.startWorker()
  const clip = await longClip()
  const job = await encodeByLink(server, clip)
  await isUnderWay(job)
  await slow.hurry()
  dying.signal('SIGKILL')
  await until('the FFmpeg of the dead worker to end with it', async () => {
    const [first] = await job.read().then(({ attemptHistory }) => attemptHistory)
    return first === undefined && (await toolsOf(server)).length === 0
  })
  const heir = await server.startWorker()
  const finished = await job.reaches('succeeded')
  expect(finished.attemptHistory).toMatchObject([
    { attempt: 1, workerId: dying.name, outcome: 'lease_expired' },
    { attempt: 2, workerId: heir.name, outcome: 'succeeded' },
  ])
  const types = (await job.events()).map(({ eventType }) => eventType)
  expect(types.filter((type) => type === 'succeeded')).toHaveLength(1)
  expect(types).toContain('retry_scheduled')
  await expectOneWholeResult(job, clip)
  expect(await leftovers(server)).toMatchObject({ tools: [], multiparts: [] })

  // What the dead one had in scratch goes with it; if its guardian died too, with the next start.
  expect(await hasScratch(dying)).toBe(false)
  await mkdir(join(server.scratch, 'job-server-scratch', `${hostname()}.${dying.pid}`))
  await server.startWorker()
  expect(await hasScratch(dying)).toBe(false)
  await Promise.all(server.workers.map((worker) => worker.stop(60)))
})

test('a worker that seldom looks for work takes over as soon as the leases of a dead one end', async () => {
  await slow.dawdle()
  const dying = await server.startWorker()
  const job = await encodeByLink(server, await longClip())
  await isUnderWay(job)
  // Nobody else hints at work, and the deadline of the test is far shorter.
  const heir = await server.startWorker({ POLL_INTERVAL_SECONDS: '300' })
  await slow.hurry()
  dying.signal('SIGKILL')
  expect((await job.reaches('succeeded')).attemptHistory).toMatchObject([
    { workerId: dying.name, outcome: 'lease_expired' },
    { workerId: heir.name, outcome: 'succeeded' },
  ])
  await Promise.all(server.workers.map((worker) => worker.stop(60)))
})
