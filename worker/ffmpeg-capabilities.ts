/** What the FFmpeg at hand is and can do: asked of the binary once at start, not assumed. */

import { encodersOf } from '../core/encode/options.ts'

export interface FfmpegCapabilities {
  version: string
  /** Those of the encoders we know a use for that the binary has. */
  encoders: string[]
}

const encodersOfInterest = Object.values(encodersOf).flat()

/** @throws Error when the binary can't be run or has no H.264 or AAC encoder, without which nothing is encoded */
export async function probeFfmpeg(tools: { ffmpeg: string }): Promise<FfmpegCapabilities> {
  const version = (await output([tools.ffmpeg, '-hide_banner', '-version'])).split('\n')[0] ?? ''
  const listed = await output([tools.ffmpeg, '-hide_banner', '-encoders'])
  const names = new Set(listed.split('\n').map((line) => line.trim().split(/\s+/)[1]))
  const encoders = encodersOfInterest.filter((name) => names.has(name))
  for (const needed of ['libx264', 'aac']) {
    if (!encoders.includes(needed)) throw new Error(`${tools.ffmpeg} has no encoder ${needed}`)
  }
  return { version: version.replace(/^ffmpeg version /, '').split(' ')[0] ?? version, encoders }
}

async function output(command: string[]): Promise<string> {
  const child = Bun.spawn(command, { stdin: 'ignore', stdout: 'pipe', stderr: 'ignore', env: {} })
  const text = await new Response(child.stdout).text()
  if ((await child.exited) !== 0) throw new Error(`${command.join(' ')} ended with status ${child.exitCode}`)
  return text
}
