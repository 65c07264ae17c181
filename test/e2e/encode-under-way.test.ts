import { expect, test } from 'vitest'
import { testClips } from '../support/clips.ts'
import { leftovers, nothing, toolsOf } from '../support/leftovers.ts'
import { startServer } from '../support/server.ts'
import { seldomMs, until } from '../support/until.ts'
import { encodeByLink, problemOf, statusOf } from '../support/video-client.ts'

const clips = await testClips()
const server = await startServer({
  environment: { FFMPEG_PATH: (await clips.slowFfmpeg()).path, MAX_CONCURRENT_EXECUTIONS: '1' },
})

test('progress moves and never goes back, and the events tell the story in order', async () => {
  const path = await clips.make({ name: 'clip.mp4', seconds: 4 })
  const job = await encodeByLink(server, path, { quality: '720p' })
  const seen: number[] = []
  await until('the encode to end', async () => {
    const { status, progress } = await statusOf(server, job)
    if (progress?.percent !== undefined && progress.percent !== seen.at(-1)) seen.push(progress.percent)
    return status !== 'queued' && status !== 'running'
  })
  await job.reaches('succeeded')
  expect(seen).toEqual(seen.toSorted((a, b) => a - b))
  expect(seen.filter((percent) => percent > 0 && percent < 100).length).toBeGreaterThanOrEqual(2)
  expect(seen.at(-1)).toBe(100)

  const events = await job.events()
  const types = events.map(({ eventType }) => eventType)
  expect(types.slice(0, 2)).toEqual(['queued', 'started'])
  expect(types.at(-1)).toBe('succeeded')
  const percents = events
    .filter(({ eventType }) => eventType === 'progress')
    .map(({ payload }) => payload.percent)
  expect(percents.length).toBeGreaterThanOrEqual(3)
  expect(percents).toEqual(percents.toSorted((a, b) => Number(a) - Number(b)))
})

test('cancelling an encode ends its FFmpeg, and leaves no output and nothing in scratch', async () => {
  const clip = await clips.make({ name: 'long.mp4', seconds: 20 })
  const job = await encodeByLink(server, clip)
  const behind = await encodeByLink(server, clip)
  await until('the encode to be under way', async () => {
    const { progress } = await statusOf(server, job)
    return progress?.phase === 'encoding' && progress.percent > 0
  })
  expect(await toolsOf(server)).toHaveLength(1)
  expect((await leftovers(server)).scratchDirectories).toHaveLength(1)

  // One that waits is cancelled there and then: it must not take the free slot.
  const waiting = await server.request('POST', `/v1/jobs/${behind.id}/cancel`)
  expect(waiting.status).toBe(202)
  expect(await behind.read()).toMatchObject({ status: 'cancelled', attempts: 0, attemptHistory: [] })

  const asked = await server.request('POST', `/v1/jobs/${job.id}/cancel`)
  expect(asked.status).toBe(202)
  await until('FFmpeg to be gone', async () => (await toolsOf(server)).length === 0, 60, seldomMs)
  const cancelled = await job.reaches('cancelled')
  expect(cancelled).toMatchObject({ attempts: 1, result: null })
  expect(cancelled.attemptHistory).toMatchObject([{ outcome: 'cancelled' }])

  // `cancelled` is said when all is done, so there is nothing to wait for.
  const left = await leftovers(server)
  expect(left).toEqual({ ...nothing, objects: left.objects })
  expect(left.objects.filter((key) => key.startsWith(`outputs/${job.id}/`))).toEqual([])
  const types = (await job.events()).map(({ eventType }) => eventType)
  expect(types).toContain('cancelling')
  expect(types.at(-1)).toBe('cancelled')
  await problemOf(await server.request('GET', `/v1/videos/${job.id}/download`), 404, 'output_not_ready')
  await problemOf(await server.request('POST', `/v1/jobs/${job.id}/cancel`), 400, 'job_already_finished')
})

test('the slot of a cancelled encode takes the next job', async () => {
  const job = await server.enqueue('echo', { message: 'next' })
  await job.reaches('succeeded')
})
