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

/** A picture is larger than `-max_pixels`. */
export const outgrown = /Picture size \d+x\d+ exceeds specified max pixel count \d+/

/** Said when nothing came of the data; FFmpeg also ends so when there was nothing left to encode. */
const undecodable = /Output file is empty|Cannot determine format of input stream|matches no streams/

/** Said of each packet that FFmpeg does without, too: it is the reason for the end when it is the last that was said. */
const invalidData = /Invalid data found when processing input/
const closing = /Conversion failed!/

/** What ffprobe ends with when it can not read a file. */
const unreadable = 1

/** With these FFmpeg says why it ends: it got a signal, or could not decode more than two thirds of what it read. */
const signalled = 255
const undecodableRate = 69

/** The first that is found among the last lines counts. */
const patterns: { code: string; retry: boolean; says: RegExp; message: string }[] = [
  {
    code: 'scratch_full',
    retry: true,
    says: /No space left on device/,
    message: "The worker's disk is full.",
  },
  {
    code: 'encoder_crashed',
    retry: true,
    // In the words of glibc and of musl. "Cannot allocate memory" is said of files that ask for more than they may have, and
    // "Input/output error" of some that end too soon: these tell of the file.
    says: /Too many open files|No file descriptors available|Resource temporarily unavailable|Permission denied/,
    message: 'The worker has no open files or threads left for the video, or may not read it.',
  },
  {
    code: 'limit_exceeded',
    retry: false,
    says: outgrown,
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
    says: /Input contains \(near\) NaN/,
    message: 'The video is damaged: its sound is no sound.',
  },
  {
    code: 'invalid_media',
    retry: false,
    says: /Format not on whitelist/,
    message: 'The file is none of the containers that are taken.',
  },
  {
    code: 'invalid_media',
    retry: false,
    says: /moov atom not found/,
    message: 'The video can not be read: its index is missing, as when its end was cut off.',
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
  if (exitCode === signalled) {
    return new JobError('killed', `${tool} was told to end by somebody else.`, { details })
  }
  const known = patterns.find(({ says }) => lastLines.some((line) => says.test(line)))
  if (known !== undefined) return new JobError(known.code, known.message, { retry: known.retry, details })
  const invalid = (message: string) => new JobError('invalid_media', message, { retry: false, details })
  // It does nothing but read: what it fails for lies in the file, unless it could not even be started.
  if (tool === 'ffprobe' && exitCode === unreadable) {
    return invalid(`The file can not be read as a video${reason(lastLines)}.`)
  }
  if (tool === 'FFmpeg' && (exitCode === undecodableRate || isUndecodable(lastLines))) {
    return invalid('The video is damaged: its data can not be decoded.')
  }
  return new JobError('encoder_crashed', `${tool} ended with status ${exitCode}.`, { details })
}

function isUndecodable(lines: string[]): boolean {
  const last = lines.findLast((line) => !closing.test(line)) ?? ''
  return invalidData.test(last) || lines.some((line) => undecodable.test(line))
}

/** The end of the last line, without the path that it begins with. */
function reason(lines: string[]): string {
  const last = lines.at(-1)?.split(': ').at(-1)?.trim() ?? ''
  return last === '' ? '' : ` (${last})`
}
