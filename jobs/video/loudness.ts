/** Equal loudness by EBU R128, in two passes: first the sound is measured as a whole, then it is made louder or softer. */
import { z } from 'zod'
import { failureOf } from './classify.ts'
import { ffmpegOptions, runTool, type ToolCare } from './ffmpeg.ts'
import { inputOptions } from './input.ts'
import { type Trim, trimOptions, trimSound } from './trim.ts'

/** Decibels that the loudest sample stays below full scale; encoders add peaks of their own. */
const truePeak = -1.5
/** Loudness units between soft and loud passages that are left as they are. */
const leastRange = 11
const mostRange = 20

/** As `loudnorm` prints it: numbers in text, `-inf` for silence. */
const Measured = z.object({
  input_i: z.coerce.number(),
  input_tp: z.coerce.number(),
  input_lra: z.coerce.number(),
  input_thresh: z.coerce.number(),
  target_offset: z.coerce.number(),
})

/**
 * @param lufs integrated loudness to reach
 * @returns the filter that does it; null for silence, which has no loudness
 * @throws JobError as `runFfmpeg`
 */
export async function measureLoudness(
  ffmpeg: string,
  { input, stream, lufs, trim }: { input: string; stream: number; lufs: number; trim: Trim | null },
  care: ToolCare,
): Promise<string | null> {
  const goal = (range: number) => `loudnorm=I=${lufs}:TP=${truePeak}:LRA=${range}`
  const options = [...trimOptions(trim), ...inputOptions(input), '-map', `0:${stream}`]
  const filter = [...trimSound(trim), `${goal(leastRange)}:print_format=json`].join(',')
  const lines: string[] = []
  const run = await runTool(
    'FFmpeg',
    ffmpeg,
    [...ffmpegOptions, ...options, '-af', filter, '-f', 'null', '-'],
    {
      ...care,
      onErrorLine: (line) => {
        // The last thing that is said, in one object.
        if (line === '{') lines.length = 0
        lines.push(line)
      },
    },
  )
  if (run.exitCode !== 0 || run.signal !== null) throw failureOf(run)
  const end = lines.indexOf('}')
  const measured = Measured.safeParse(parsed(lines.slice(0, end + 1).join('')))
  if (!measured.success) return null
  const { input_i, input_tp, input_lra, input_thresh, target_offset } = measured.data
  // A range that is narrower than the sound's would press it together; so it is as wide as that.
  const range = Math.min(mostRange, Math.max(leastRange, Math.ceil(input_lra)))
  // It measures sound beyond full scale, but takes no such measure, and 0 for none: so that sound is made softer before.
  const softer = input_i < 0 ? 0 : input_i + 1
  const measure = (decibels: number) => (decibels - softer).toFixed(2)
  return [
    `${softer === 0 ? '' : `volume=-${softer.toFixed(2)}dB,`}${goal(range)}`,
    `measured_I=${measure(input_i)}:measured_TP=${measure(input_tp)}:measured_LRA=${input_lra}`,
    `measured_thresh=${measure(input_thresh)}:offset=${target_offset}:linear=true`,
  ].join(':')
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
