/**
 * Runs FFmpeg and ffprobe: the only place in `jobs/` that starts a process. No shell, no standard input, an environment
 * of nothing, a watch over standstill; a run that fails is told as what it means.
 */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type JobContext, JobError } from '../../core/job.ts'
import { type FailedRun, failureOf, outgrown } from './classify.ts'
import { DamageCounter } from './damage.ts'
import { LastLines, shown } from './last-lines.ts'
import { type EncodeProgress, ProgressParser, secondsOf } from './progress.ts'
import { StallWatch } from './stall-watch.ts'

/** What may be held of a tool's answer: a file whose headers make more of it was made for that. */
const keptOutputBytes = 16 * 1024 * 1024
const longestLine = 64 * 1024

/** Of one allocation, in bytes: room for a picture of 16K, not for what a forged header asks for. */
export const allocationOptions = ['-max_alloc', String(1024 ** 3)]

/**
 * Without the C library's character set modules: static builds crash in them (ffprobe of 2023 does on every MPEG
 * transport stream), and nothing that we read from a file needs them.
 */
const environment = { GCONV_PATH: '/nonexistent' }

export interface ToolCare {
  signal: AbortSignal
  /** Seconds without a sign of progress after which the tool is killed. */
  stallSeconds: number
  /** Where it runs and writes. */
  directory: string
}

export function careOf({
  signal,
  limits,
  scratchDirectory,
}: Pick<JobContext, 'signal' | 'limits' | 'scratchDirectory'>): ToolCare {
  return { signal, stallSeconds: limits.stallSeconds, directory: scratchDirectory }
}

export interface ToolRun extends FailedRun {
  /** Empty when lines were asked for. */
  stdout: string
}

interface Listener {
  /** Gets the lines of standard output. @returns whether they show progress (without it all output does), or what to end it for */
  onLine?: (line: string) => boolean | JobError
  onErrorLine?: (line: string) => void
}

/** @throws JobError stalled, invalid_media (an answer beyond all measure), from `onLine`; what the signal was aborted with */
export async function runTool(
  tool: FailedRun['tool'],
  binary: string,
  options: string[],
  { signal, stallSeconds, directory, onLine, onErrorLine }: ToolCare & Listener,
): Promise<ToolRun> {
  signal.throwIfAborted()
  const child = Bun.spawn([binary, ...options], {
    cwd: directory,
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
    env: environment,
    signal,
    killSignal: 'SIGKILL',
  })
  let failure: JobError | undefined
  const end = (error: JobError) => {
    failure ??= error
    child.kill('SIGKILL')
  }
  const lastLines = new LastLines(directory)
  const command = [tool.toLowerCase(), ...options].map((option) => shown(option, directory)).join(' ')
  const watch = new StallWatch({
    seconds: stallSeconds,
    pid: child.pid,
    directory,
    onStall: () => {
      const details = { command, lastLines: lastLines.shown() }
      end(new JobError('stalled', `${tool} made no progress for ${stallSeconds} s.`, { details }))
    },
  })
  let stdout = ''
  const [exitCode] = await Promise.all([
    child.exited,
    readLines(child.stdout, (line) => {
      if (onLine === undefined) stdout += `${line}\n`
      const news = onLine === undefined || onLine(line)
      if (news instanceof JobError) end(news)
      else if (news) watch.alive()
      if (stdout.length > keptOutputBytes) end(new JobError('invalid_media', tooMuch, { retry: false }))
    }),
    readLines(child.stderr, (line) => {
      lastLines.add(line)
      onErrorLine?.(line)
    }),
  ])
  watch.stop()
  signal.throwIfAborted()
  if (failure !== undefined) throw failure
  const signalled = child.signalCode === null ? null : String(child.signalCode)
  return { tool, exitCode, signal: signalled, stdout, lastLines: lastLines.shown(), command }
}

const tooMuch = 'The headers of the video are larger than those of any honest one.'

/** What every run of FFmpeg is told, before its own options. */
export const ffmpegOptions = [
  '-hide_banner', '-nostdin', '-y',
  '-loglevel', 'repeat+level+info', // each damaged picture has a line of its own
  '-progress', 'pipe:1', '-nostats',
  ...allocationOptions,
] // biome-ignore format: options beside their values

/**
 * @param videoStream the stream of the first input whose damage counts, left out: none
 * @returns frames that were encoded, and those of the source that could not be decoded whole
 * @throws JobError stalled, limit_exceeded, and what `failureOf` makes of a bad end
 */
export async function runFfmpeg(
  ffmpeg: string,
  options: string[],
  {
    durationSeconds = 0,
    expectedFrames = null,
    videoStream = -1,
    longestSeconds = Number.POSITIVE_INFINITY,
    bound,
    progress = () => undefined,
    ...care
  }: ToolCare & {
    durationSeconds?: number
    videoStream?: number
    /** An output that grows longer is given up: sound whose times jump by years would be filled with silence. */
    longestSeconds?: number
    /** What is written into the directory may have so many bytes together; with more the run is given up. */
    bound?: { directory: string; bytes: number }
    /** By which progress is told, where they are known before. */
    expectedFrames?: number | null
    progress?: (progress: EncodeProgress) => void
  },
): Promise<{ frameCount: number; damagedFrames: number }> {
  const parser = new ProgressParser(durationSeconds, expectedFrames)
  const showsProgress = progressSigns()
  const damage = new DamageCounter(videoStream)
  let refusedPicture: string | undefined
  const run = await runTool('FFmpeg', ffmpeg, [...ffmpegOptions, ...options], {
    ...care,
    onLine: (line) => {
      const news = parser.read(line)
      if (news !== null) progress(news)
      const [, time = ''] = /^out_time=(.*)/.exec(line) ?? []
      if ((secondsOf(time) ?? 0) > longestSeconds) return outlasts(longestSeconds)
      if (news !== null && bound !== undefined && bytesIn(bound.directory) > bound.bytes) {
        return outgrows(bound.bytes)
      }
      return showsProgress(line)
    },
    onErrorLine: (line) => {
      damage.read(line)
      refusedPicture ??= outgrown.exec(line)?.[0]
    },
  })
  if (run.exitCode !== 0 || run.signal !== null) throw failureOf(run)
  // It goes on without the pictures that it refused.
  if (refusedPicture !== undefined) throw failureOf({ ...run, lastLines: [refusedPicture] })
  return { frameCount: parser.frameCount, damagedFrames: damage.damagedFrames }
}

function outlasts(bound: number): JobError {
  const message = `The video is longer than it announces, and than the ${bound} s that are allowed: its times jump.`
  return new JobError('limit_exceeded', message, {
    retry: false,
    details: { limit: 'durationSeconds', bound },
  })
}

function outgrows(bound: number): JobError {
  const message = `The outputs of the video have grown beyond the ${bound} bytes that they may have.`
  return new JobError('limit_exceeded', message, {
    retry: false,
    details: { limit: 'outputBytes', bound },
  })
}

/** A handful of files, looked at as often as FFmpeg reports. */
function bytesIn(directory: string): number {
  return readdirSync(directory).reduce((sum, name) => {
    return sum + (statSync(join(directory, name), { throwIfNoEntry: false })?.size ?? 0)
  }, 0)
}

/** FFmpeg reports twice a second whether or not there is news; these values only change when it gets on. */
function progressSigns(): (line: string) => boolean {
  const values = new Map([
    ['frame', ''],
    ['out_time', ''],
    ['total_size', ''],
  ])
  return (line) => {
    const at = line.indexOf('=')
    const name = line.slice(0, at)
    if (!values.has(name) || values.get(name) === line) return false
    values.set(name, line)
    return true
  }
}

async function readLines(stream: ReadableStream<Uint8Array>, onLine: (line: string) => void) {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of stream) {
    // FFmpeg ends a line with a carriage return where it overwrites it on a terminal.
    const lines = (rest + decoder.decode(chunk, { stream: true })).split(/[\r\n]/)
    // The start of a line says what it is; nobody needs the rest of one without end.
    rest = (lines.pop() ?? '').slice(0, longestLine)
    for (const line of lines) onLine(line.trim())
  }
  if (rest !== '') onLine(rest.trim())
}
