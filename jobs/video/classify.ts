/**
 * What it means that FFmpeg or ffprobe did not end well. Not retried: `invalid_media`, `unsupported_codec`,
 * `limit_exceeded`, which lie in the video. Retried: `killed`, `scratch_full`, `encoder_crashed`, which lie with the
 * worker, or nobody knows where.
 */
import { JobError, type JsonObject } from '../../core/job.ts'

export interface FailedRun {
  tool: 'FFmpeg' | 'ffprobe'
  exitCode: number
  /** The signal that ended it, if one did. */
  signal: string | null
  /** What it said last. */
  lastLines: string[]
  command: string
}

/** Sent from outside; all others a process brings upon itself. */
const fromOutside = new Set(['SIGKILL', 'SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'])

const patterns: { code: string; retry: boolean; says: RegExp; message: string }[] = [
  {
    code: 'killed',
    retry: true,
    says: /Exiting normally, received signal/,
    message: 'FFmpeg was told to end by somebody else.',
  },
  {
    code: 'scratch_full',
    retry: true,
    says: /No space left on device/,
    message: "The worker's disk is full.",
  },
  {
    code: 'limit_exceeded',
    retry: false,
    says: /exceeds specified max pixel count/,
    message: 'The video has larger pictures than it announces, and than are allowed.',
  },
  {
    code: 'unsupported_codec',
    retry: false,
    says: /Decoder .* not found|Unknown decoder|no decoder found/i,
    message: 'FFmpeg has no decoder for the video.',
  },
  {
    code: 'invalid_media',
    retry: false,
    says: /moov atom not found/,
    message: 'The video can not be read: its index is missing, as when its end was cut off.',
  },
  {
    code: 'invalid_media',
    retry: false,
    says: /Invalid data found when processing input|Output file is empty|does not contain any stream|matches no streams|Cannot determine format of input stream/,
    message: 'The video is damaged: its data can not be decoded.',
  },
]

export function failureOf(run: FailedRun): JobError {
  const { tool, exitCode, signal, lastLines, command } = run
  const end: JsonObject = signal === null ? { exitCode } : { signal }
  const details = { ...end, command, lastLines }
  if (signal !== null) {
    const code = fromOutside.has(signal) ? 'killed' : 'encoder_crashed'
    return new JobError(code, `${tool} was ended by ${signal}.`, { details })
  }
  // The last of it tells why it ended; before that it also warns of what did no harm.
  for (const line of lastLines.toReversed()) {
    const found = patterns.find(({ says }) => says.test(line))
    if (found !== undefined) return new JobError(found.code, found.message, { retry: found.retry, details })
  }
  return new JobError('encoder_crashed', `${tool} ended with status ${exitCode}.`, { details })
}
