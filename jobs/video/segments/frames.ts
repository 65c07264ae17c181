/** Where the frames of a source are: their times, and which of them can be decoded without any before. */
import type { ToolCare } from '../ffmpeg.ts'
import { inputOptions } from '../input.ts'
import type { Fraction } from '../plan.ts'
import { runProbe } from '../probe.ts'

export interface Frames {
  /** When the source begins, on its own clock: with this FFmpeg's time is zero. */
  startSeconds: number
  /** Seconds from there, ascending; of the frames that are shown. */
  times: number[]
  /** Of the key frames, ascending. */
  keyTimes: number[]
  /** Whether the times go on without a jump, as they don't where recordings were strung together. */
  isContinuous: boolean
}

/** Beyond, FFmpeg mends the times of a transport stream, by what it has read before. */
const jumpSeconds = 5

/**
 * @param streams all that are encoded, the one with the pictures first
 * @returns null when a frame has no time
 */
export async function readFrames(
  ffprobe: string,
  file: string,
  streams: number[],
  care: ToolCare,
): Promise<Frames | null> {
  const [pictures] = streams
  const startSeconds = await readStart(ffprobe, file, streams, care)
  const times: number[] = []
  const keyTimes: number[] = []
  let latest = Number.NaN
  let isContinuous = true
  let isTimed = true
  const onLine = (line: string) => {
    const values = valuesOf(line)
    if (!values.has('flags')) return true
    const seconds = Number(values.get('pts_time'))
    if (!Number.isFinite(seconds)) {
      isTimed = false
      return true
    }
    if (Math.abs(seconds - latest) > jumpSeconds) isContinuous = false
    latest = Number.isNaN(latest) ? seconds : Math.max(latest, seconds)
    const flags = values.get('flags') ?? ''
    if (!flags.includes('D')) times.push(seconds)
    if (flags.includes('K')) keyTimes.push(seconds)
    return true
  }
  const shown = ['-show_entries', 'packet=pts_time,flags', '-of', 'compact=print_section=0']
  const select = ['-select_streams', String(pictures)]
  await runProbe(ffprobe, [...select, ...shown, ...inputOptions(file)], { ...care, onLine })
  if (!isTimed) return null
  const fromStart = (all: number[]) => all.map((seconds) => seconds - startSeconds).sort((a, b) => a - b)
  return { startSeconds, times: fromStart(times), keyTimes: fromStart(keyTimes), isContinuous }
}

/** As FFmpeg finds it: of a transport stream by what is encoded of it, of others by all that is there. */
async function readStart(ffprobe: string, file: string, streams: number[], care: ToolCare): Promise<number> {
  const starts: number[] = []
  let ofAll = 0
  let isTransport = false
  const onLine = (line: string) => {
    const values = valuesOf(line)
    const seconds = Number(values.get('start_time'))
    if (values.has('format_name')) {
      ofAll = seconds || 0
      isTransport = values.get('format_name') === 'mpegts'
    } else if (streams.includes(Number(values.get('index'))) && Number.isFinite(seconds)) starts.push(seconds)
    return true
  }
  const shown = ['-show_entries', 'stream=index,start_time:format=format_name,start_time']
  const form = ['-of', 'compact=print_section=0']
  await runProbe(ffprobe, [...shown, ...form, ...inputOptions(file)], { ...care, onLine })
  return isTransport && starts.length > 0 ? Math.min(...starts) : ofAll
}

function valuesOf(line: string): Map<string, string> {
  return new Map(line.split('|').map((entry) => entry.split('=', 2) as [string, string]))
}

/** Whether each frame stands on its own place of a grid that begins with the first one, and none is missing. */
export function isConstant({ times }: Frames, { num, den }: Fraction): boolean {
  const [first = 0] = times
  return num > 0 && times.every((seconds, frame) => Math.abs(((seconds - first) * num) / den - frame) < 0.25)
}
