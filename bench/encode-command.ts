/** The command that `encode.video` runs, for benches to run bare. */
import { dirname, join } from 'node:path'
import type { Quality } from '../core/encode/options.ts'
import { resolve } from '../core/encode/wish.ts'
import { defaultJobLimits } from '../core/job-limits.ts'
import { encodeOptions } from '../jobs/video/encode.ts'
import { ffmpegOptions } from '../jobs/video/ffmpeg.ts'
import { planEncode } from '../jobs/video/plan.ts'
import { probe } from '../jobs/video/probe.ts'

const stallSeconds = 120

/**
 * @param options.threads default: as many as there are processors
 * @returns the command, and the file beside the input that it writes
 */
export async function encodeCommand(
  tools: { ffmpeg: string; ffprobe: string },
  input: string,
  { quality, ...options }: { quality: Quality; threads?: number },
): Promise<{ command: string[]; output: string }> {
  const directory = dirname(input)
  const care = { signal: new AbortController().signal, stallSeconds, directory }
  const media = await probe(tools.ffprobe, input, care)
  const plan = planEncode(media, resolve({ quality, format: 'mp4', segments: 'off' }))
  const { picture, trim, targets } = plan
  const extras = { watermark: null, subtitles: [], skipped: [], loudness: new Map() }
  const encode = await encodeOptions(
    { input, directory, picture, trim, targets, ...extras, ...options },
    { tools, limits: defaultJobLimits },
    care,
  )
  const command = [tools.ffmpeg, ...ffmpegOptions, ...encode]
  return { command, output: join(directory, targets[0]?.name ?? '') }
}

/** @returns the CPU time it took, in seconds. @throws Error with what it said when it fails */
export async function runCommand(command: string[]): Promise<number> {
  const child = Bun.spawn(command, { stdin: 'ignore', stdout: 'ignore', stderr: 'pipe' })
  const said = await new Response(child.stderr).text()
  if ((await child.exited) !== 0) {
    throw new Error(`${command[0]} ended with status ${child.exitCode}: ${said.trim()}`)
  }
  return Number(child.resourceUsage()?.cpuTime.total ?? 0) / 1_000_000
}
