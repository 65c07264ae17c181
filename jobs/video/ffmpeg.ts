/** Runs FFmpeg and ffprobe: the only place in `jobs/` that starts a process. */
import { JobError } from '../../core/job.ts'
import { type EncodeProgress, ProgressParser } from './progress.ts'

const keptErrorBytes = 16 * 1024

/**
 * Without the C library's character set modules: static builds crash in them (ffprobe of 2023 does on every MPEG
 * transport stream), and nothing that we read from a file needs them.
 */
const environment = { GCONV_PATH: '/nonexistent' }

export interface ToolRun {
  exitCode: number
  /** The signal that ended it, if one did. */
  signal: string | number | null
  /** Empty when lines were asked for. */
  stdout: string
  /** Its end. */
  stderr: string
}

/** @throws what the signal was aborted with */
export async function runTool(
  binary: string,
  options: string[],
  { signal, onLine }: { signal: AbortSignal; onLine?: (line: string) => void },
): Promise<ToolRun> {
  signal.throwIfAborted()
  const child = Bun.spawn([binary, ...options], {
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
    env: environment,
    signal,
    killSignal: 'SIGKILL',
  })
  const [stdout, stderr] = await Promise.all([
    onLine === undefined ? new Response(child.stdout).text() : readLines(child.stdout, onLine),
    readEnd(child.stderr),
  ])
  const exitCode = await child.exited
  signal.throwIfAborted()
  return { exitCode, signal: child.signalCode, stdout, stderr }
}

/** @throws JobError invalid_media, unsupported_codec, scratch_full (no retry but the last), encoder_crashed */
export async function runFfmpeg(
  ffmpeg: string,
  options: string[],
  {
    signal,
    durationSeconds,
    progress,
  }: { signal: AbortSignal; durationSeconds: number; progress: (progress: EncodeProgress) => void },
): Promise<{ frameCount: number }> {
  const parser = new ProgressParser(durationSeconds)
  const {
    exitCode,
    signal: killedBy,
    stderr,
  } = await runTool(ffmpeg, options, {
    signal,
    onLine: (line) => {
      const news = parser.read(line)
      if (news !== null) progress(news)
    },
  })
  if (killedBy !== null) throw new JobError('encoder_crashed', `FFmpeg was ended by ${killedBy}.`)
  if (exitCode !== 0) throw failure(exitCode, stderr)
  return { frameCount: parser.frameCount }
}

function failure(exitCode: number, stderr: string): JobError {
  if (/No space left on device/.test(stderr)) {
    return new JobError('scratch_full', "The worker's disk is full.")
  }
  if (/Decoder .* not found|Unknown decoder|no decoder found/i.test(stderr)) {
    return new JobError('unsupported_codec', 'FFmpeg has no decoder for the video.', { retry: false })
  }
  if (/Invalid data found when processing input|moov atom not found/.test(stderr)) {
    return new JobError('invalid_media', 'The video is damaged: its data can not be decoded.', {
      retry: false,
    })
  }
  const last = stderr.trim().split('\n').at(-1) ?? ''
  return new JobError('encoder_crashed', `FFmpeg ended with status ${exitCode}.`, {
    cause: new Error(last),
  })
}

async function readLines(stream: ReadableStream<Uint8Array>, onLine: (line: string) => void) {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) onLine(line.trim())
  }
  if (rest !== '') onLine(rest.trim())
  return ''
}

async function readEnd(stream: ReadableStream<Uint8Array>): Promise<string> {
  let kept = Buffer.alloc(0)
  for await (const chunk of stream) kept = Buffer.concat([kept, chunk]).subarray(-keptErrorBytes)
  return kept.toString('utf8')
}
