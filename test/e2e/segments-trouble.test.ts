/** Videos in pieces when something goes wrong on the way, by two workers whose FFmpeg takes its time. */
import { beforeAll, expect, test } from 'vitest'
import { removeStrayOutputs } from '../../core/upkeep/stray-outputs.ts'
import { testClips } from '../support/clips.ts'
import { toolsOf } from '../support/leftovers.ts'
import { killQuietly } from '../support/processes.ts'
import { startServer, type TestJob } from '../support/server.ts'
import { seldomMs, until } from '../support/until.ts'
import { encodeByLink } from '../support/video-client.ts'

const clips = await testClips()
const server = await startServer({
  workers: 0,
  environment: {
    MAX_CONCURRENT_EXECUTIONS: '2',
    FFMPEG_PATH: (await clips.slowFfmpeg()).path,
    LEASE_DURATION_SECONDS: '6',
  },
})
let clip = ''
beforeAll(async () => {
  clip = await clips.make({
    name: 'clip.mp4',
    seconds: 12,
    options: ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-g', '50', '-c:a', 'aac'],
  })
  await server.startWorker()
  await server.startWorker()
})

interface Part {
  jobId: string
  status: string
  queue: string
  priority: number
  tags: string[]
  attempts: number
  workerId: string | null
}

async function partsOf(video: TestJob): Promise<Part[]> {
  const { jobs } = await (await server.request('GET', `/v1/jobs?parentId=${video.id}`)).json()
  // A list shows less.
  const read = async ({ jobId }: Part) => await (await server.request('GET', `/v1/jobs/${jobId}`)).json()
  return await Promise.all(jobs.map(read))
}

async function encode(): Promise<TestJob> {
  return await encodeByLink(server, clip, {
    outputs: [{ format: 'hls', height: 180 }],
    segments: 3,
  })
}

/** Three pieces and the sound; two workers of two slots are at them, and their FFmpegs stand still. */
async function atWork(video: TestJob): Promise<{ parts: Part[]; goOn(): void; kill(): void }> {
  const pids = new Set<number>()
  const signal = (name: NodeJS.Signals) => {
    for (const pid of pids) killQuietly(pid, name)
  }
  // Each as soon as it is there: the first would be through before the last begins.
  await until('all parts to be encoded', async () => {
    for (const { pid, command } of await toolsOf(server)) if (command.includes('/part/')) pids.add(pid)
    signal('SIGSTOP')
    return pids.size === 4
  })
  const parts = await partsOf(video)
  expect(parts.map(({ status }) => status)).toEqual(['running', 'running', 'running', 'running'])
  return { parts, goOn: () => signal('SIGCONT'), kill: () => signal('SIGKILL') }
}

async function stored(): Promise<string[]> {
  await removeStrayOutputs(server.database.sql, server.bucket.storage, { limit: 1000 })
  return (await server.bucket.keys()).filter((key) => key.startsWith('outputs/'))
}

test('parts that are lost with their worker are done again, and no others; progress never goes back', async () => {
  const video = await encode()
  const seen: number[] = []
  const { parts, goOn } = await atWork(video)
  const victim = server.workers.findIndex(({ name }) => parts.some(({ workerId }) => workerId === name))
  const [worker] = server.workers.splice(victim, 1)
  const lost = parts.filter(({ workerId }) => workerId === worker?.name).map(({ jobId }) => jobId)
  seen.push((await video.read()).progress?.percent ?? 0)
  worker?.signal('SIGKILL')
  await worker?.exited
  goOn()
  await server.startWorker()
  const { result } = await until(
    'the video',
    async () => {
      const answer = await (await server.request('GET', `/v1/videos/${video.id}/status`)).json()
      if (answer.progress !== null && answer.progress !== undefined) seen.push(answer.progress.percent)
      return answer.status === 'succeeded' && (await video.read())
    },
    120,
  )
  expect(result).toMatchObject({ segments: { count: 3 } })
  expect(seen.length).toBeGreaterThan(3)
  expect(seen).toEqual(seen.toSorted((a, b) => a - b))
  expect(new Set(seen).size).toBeGreaterThan(3)
  for (const { jobId } of parts) {
    const { attemptHistory } = await server.job(jobId).read()
    const outcomes = attemptHistory.map(({ outcome }) => outcome)
    expect(outcomes, jobId).toEqual(lost.includes(jobId) ? ['lease_expired', 'succeeded'] : ['succeeded'])
  }
}, 180_000)

test('parts stand where their video does: queue, priority and tags', async () => {
  const { sql } = server.database
  await server.request('POST', '/v1/queues/default/pause')
  const video = await encode()
  await sql`insert into job_server.lanes (queue, definition_key, definition_version) values ('night', 'encode.video', 1)`
  await sql`update job_server.jobs set priority = 7, tags = '{night}', queue = 'night' where id = ${video.id}`
  await server.request('POST', '/v1/queues/default/resume')
  const { parts, goOn } = await atWork(video)
  goOn()
  for (const part of parts) {
    expect(part).toMatchObject({ priority: 7, tags: ['night'], queue: 'night' })
  }
  await server.request('POST', `/v1/jobs/${video.id}/cancel`)
  await video.reaches('cancelled')
})

test('a video that is cancelled ends all of its parts, and nothing of them stays', async () => {
  const before = await stored()
  const video = await encode()
  const { goOn } = await atWork(video)
  goOn()
  expect((await server.request('POST', `/v1/jobs/${video.id}/cancel`)).status).toBe(202)
  await video.reaches('cancelled')
  await until('the parts to end', async () =>
    (await partsOf(video)).every(({ status }) => status === 'cancelled' || status === 'succeeded'),
  )
  await until('FFmpeg to be gone', async () => (await toolsOf(server)).length === 0, 60, seldomMs)
  await until('the objects to be gone', async () => (await stored()).length === before.length)
  expect(await stored()).toEqual(before)
})

test('a part that fails for good fails the video with its error, and nothing of the others stays', async () => {
  const before = await stored()
  const video = await encode()
  const { kill } = await atWork(video)
  // As if these had been their last attempts.
  await server.database.sql`update job_server.jobs set max_attempts = attempts where parent_id = ${video.id}`
  kill()
  await video.reaches('failed')
  const answer = await (await server.request('GET', `/v1/videos/${video.id}/status`)).json()
  expect(answer).toMatchObject({ status: 'failed', error: { code: 'killed' } })
  await until('the parts to end', async () =>
    (await partsOf(video)).every(({ status }) => !['running', 'queued'].includes(status)),
  )
  await until('the objects to be gone', async () => (await stored()).length === before.length)
})
