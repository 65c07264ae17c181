import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, describe, expect, inject, test } from 'vitest'
import { JobError } from '../../../../core/job.ts'
import { runFfmpeg, runTool } from '../../../../jobs/video/ffmpeg.ts'
import { trimPicture } from '../../../../jobs/video/trim.ts'
import { testFfmpeg, testTools } from '../../../support/clips.ts'
import { processesNaming } from '../../../support/processes.ts'
import { until } from '../../../support/until.ts'

const root = await mkdtemp(join(inject('backend').directory, 'ffmpeg-'))
afterAll(() => rm(root, { recursive: true, force: true }))
const { signal } = new AbortController()

/** In a directory of its own, by which it is found. */
async function care(stallSeconds = 30) {
  return { signal, stallSeconds, directory: await mkdtemp(join(root, 'run-')) }
}

async function errorOf(running: Promise<unknown>): Promise<JobError> {
  const error = await running.catch((thrown) => thrown)
  if (error instanceof JobError) return error
  throw new Error('expected the run to fail')
}

/** An encode that goes on until it is ended, and the process that does it. */
async function endless(stallSeconds?: number) {
  const how = await care(stallSeconds)
  const options = ['-re', '-f', 'lavfi', '-i', 'testsrc2=size=64x64', '-f', 'null', '-']
  let reports = 0
  const progress = () => reports++
  const running = runFfmpeg(testTools.ffmpeg, options, {
    ...how,
    durationSeconds: 60,
    videoStream: 0,
    progress,
  })
  running.catch(() => {})
  const found = () => processesNaming(how.directory)
  const [child] = await until('FFmpeg at work', async () => reports > 2 && (await found()))
  if (child === undefined) throw new Error('no FFmpeg')
  return { running, pid: child.pid, isGone: async () => (await found()).length === 0 }
}

describe('FFmpeg', () => {
  test('that is stopped makes no progress: it is killed, and told as stalled', async () => {
    const { running, pid, isGone } = await endless(2)
    process.kill(pid, 'SIGSTOP')
    const error = await errorOf(running)
    expect(error).toMatchObject({ code: 'stalled', retry: true, message: 'FFmpeg made no progress for 2 s.' })
    expect(await isGone()).toBe(true)
  })

  test('that reads what it leaves out makes progress, though nothing comes of it', async () => {
    const how = await care(2)
    const source = join(how.directory, 'source.avi')
    const moving = 'testsrc2=size=128x72:rate=25:duration=5'
    await testFfmpeg(['-v', 'error', '-f', 'lavfi', '-i', moving, '-c:v', 'rawvideo', source])
    // At the pace of the source: for as long as others take for hours of it.
    const late = trimPicture({ start: 4.8, end: 5, bySeeking: false })
    const options = ['-re', '-i', source, '-vf', late.join(','), '-f', 'null', '-']
    expect(await runFfmpeg(testTools.ffmpeg, options, how)).toMatchObject({ frameCount: 5 })
  })

  test('that writes more than it may is ended, and told as over the limit', async () => {
    const how = await care()
    const noise = ['-f', 'lavfi', '-i', 'testsrc2=size=640x360', '-f', 'rawvideo', join(how.directory, 'raw')]
    const bound = { directory: how.directory, bytes: 20_000_000 }
    const progress = () => undefined
    const running = runFfmpeg(testTools.ffmpeg, noise, {
      ...{ ...how, durationSeconds: 60, videoStream: 0, bound, progress },
    })
    expect(await errorOf(running)).toMatchObject({
      code: 'limit_exceeded',
      retry: false,
      details: { limit: 'outputBytes', bound: 20_000_000 },
    })
    expect(await processesNaming(how.directory)).toEqual([])
  })

  test('that somebody kills is told as killed, with its command', async () => {
    const { running, pid } = await endless()
    process.kill(pid, 'SIGKILL')
    const error = await errorOf(running)
    expect(error).toMatchObject({ code: 'killed', retry: true, details: { signal: 'SIGKILL' } })
    expect(error.details.command).toMatch(/^ffmpeg .* -re -f lavfi -i testsrc2=size=64x64 -f null -$/)
  })

  test('that somebody tells to end is told as killed, too', async () => {
    const { running, pid } = await endless()
    process.kill(pid, 'SIGTERM')
    expect(await errorOf(running)).toMatchObject({ code: 'killed', retry: true })
  })

  test('that dies of a fault of its own has crashed', async () => {
    const { running, pid } = await endless()
    process.kill(pid, 'SIGSEGV')
    expect(await errorOf(running)).toMatchObject({ code: 'encoder_crashed', retry: true })
  })
})

/** Runs a script in the place of the tool. */
async function script(text: string, stallSeconds?: number) {
  return await runTool('FFmpeg', '/bin/sh', ['-c', text], await care(stallSeconds))
}

describe('a tool', () => {
  test('that writes a file makes progress, though it says nothing', async () => {
    // It reads nothing either: a shell would, with every program that it starts.
    const moving = ['-v', 'error', '-nostdin', '-re', '-f', 'lavfi', '-i', 'testsrc2=size=64x64:duration=4']
    const run = async (to: string[]) =>
      await runTool('FFmpeg', testTools.ffmpeg, [...moving, ...to], await care(2))
    expect(await run(['-f', 'rawvideo', 'written'])).toMatchObject({ exitCode: 0 })
    expect(await errorOf(run(['-f', 'null', '-'])), 'without writing').toMatchObject({ code: 'stalled' })
  })

  test('that only computes makes none', async () => {
    expect(await errorOf(script('while :; do :; done', 1))).toMatchObject({ code: 'stalled', retry: true })
  })

  test('runs in its directory, without standard input, and with nothing of our environment', async () => {
    const { stdout } = await script('pwd; wc -c; env')
    const [place, read, ...environment] = stdout.trim().split('\n')
    expect(place).toMatch(new RegExp(`^${root}/run-`))
    expect(read).toBe('0')
    // The last two are of the shell.
    expect(environment.filter((line) => !/^(PWD|_|SHLVL|OLDPWD)=/.test(line))).toEqual([
      'GCONV_PATH=/nonexistent',
    ])
  })

  test('that answers without end is ended', async () => {
    const error = await errorOf(script('while :; do echo 0123456789012345678901234567890123456789; done'))
    expect(error).toMatchObject({ code: 'invalid_media', retry: false })
  })

  test('of which a line has no end is read all the same', async () => {
    const { lastLines } = await script('head -c 3000000 /dev/zero | tr "\\0" x >&2; echo >&2; echo end >&2')
    expect(lastLines).toEqual([expect.stringMatching(/^x{299}…$/), 'end'])
  })
})
