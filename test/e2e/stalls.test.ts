import { expect, test } from 'vitest'
import { testClips } from '../support/clips.ts'
import { toolsOf } from '../support/leftovers.ts'
import { startServer } from '../support/server.ts'
import { openSilentLine } from '../support/silent-line.ts'
import { until } from '../support/until.ts'
import { encodeByLink } from '../support/video-client.ts'

const clips = await testClips()
const server = await startServer({ workers: 0 })
const line = await openSilentLine(server.bucket.environment.S3_ENDPOINT ?? '')

test('an FFmpeg that stands still is killed, and the encode is tried again', async () => {
  const { path, hurry } = await clips.slowFfmpeg()
  // At this pace nothing comes for two seconds at first: the encoder looks ahead.
  const worker = await server.startWorker({ FFMPEG_PATH: path, STALL_SECONDS: '4' })
  const clip = await clips.make({ name: 'clip.mp4', size: '64x36', seconds: 60 })
  const job = await encodeByLink(server, clip)
  const frozen = await until('FFmpeg at work', async () => {
    const { progress } = await job.read()
    if (progress?.phase !== 'encoding') return false
    // Not one that is asked what it can do.
    return (await toolsOf(server)).find(({ command }) => command.includes('/encoded/'))
  })
  await hurry()
  process.kill(frozen.pid, 'SIGSTOP')
  const [attempt] = await until('the attempt to end', async () => {
    const { attemptHistory } = await job.read()
    return attemptHistory.length > 0 && attemptHistory
  })
  expect(attempt).toMatchObject({
    outcome: 'threw',
    errorCode: 'stalled',
    error: {
      details: { command: expect.stringMatching(/^ffmpeg .*-i file:source /), lastLines: expect.any(Array) },
    },
  })
  expect((await toolsOf(server)).map(({ pid }) => pid)).not.toContain(frozen.pid)
  await job.reaches('succeeded')
  await worker.stop(60)
})

test.each([
  { what: 'sends no more in the middle of the source', way: 'down' },
  { what: 'takes no more in the middle of the output', way: 'up' },
] as const)('a storage that $what is given up, and the encode is tried again', async ({ way }) => {
  const worker = await server.startWorker({ S3_ENDPOINT: line.url, STALL_SECONDS: '2' })
  // Noise: both the clip and what is made of it are larger than what is let through.
  const options = ['-vf', 'noise=alls=60:allf=t', '-c:v', 'libx264', '-preset', 'ultrafast']
  const clip = await clips.make({ name: `noise-${way}.mp4`, seconds: 0.5, options })
  line.fallSilentAfter(50_000, way)
  const job = await encodeByLink(server, clip)
  const { attemptHistory } = await job.reaches('succeeded')
  expect(line.isSilent).toBe(true)
  // On a busy machine more than one may be.
  expect(attemptHistory[0]).toMatchObject({ errorCode: 'stalled' })
  expect(await server.bucket.keys()).toEqual(
    expect.arrayContaining([expect.stringMatching(new RegExp(`^outputs/${job.id}/`))]),
  )
  await worker.stop(60)
})
