/** What the FFmpeg at hand is and can do, and that its ffprobe runs: asked of the binaries once at start, not assumed. */
import { stat } from 'node:fs/promises'
import { askAbilities, type KnownFfmpeg } from '../core/encode/abilities.ts'

export interface FfmpegCapabilities {
  version: string
  known: KnownFfmpeg
}

/** @throws Error when one of the two can't be run, or there is no H.264 or AAC encoder, without which nothing is encoded */
export async function probeFfmpeg(tools: { ffmpeg: string; ffprobe: string }): Promise<FfmpegCapabilities> {
  const { size, mtimeMs } = await stat(tools.ffmpeg)
  const ask = (options: string[]) => output([tools.ffmpeg, ...options])
  const [said, abilities] = await Promise.all([
    ask(['-hide_banner', '-version']),
    askAbilities(ask),
    output([tools.ffprobe, '-hide_banner', '-version']),
  ])
  for (const needed of ['libx264', 'aac']) {
    if (!abilities.encoders.includes(needed)) throw new Error(`${tools.ffmpeg} has no encoder ${needed}`)
  }
  const version = said.split('\n')[0] ?? ''
  return {
    version: version.replace(/^ffmpeg version /, '').split(' ')[0] ?? version,
    known: { ...abilities, sizeBytes: size, modifiedAtMs: mtimeMs },
  }
}

async function output(command: string[]): Promise<string> {
  const child = Bun.spawn(command, { stdin: 'ignore', stdout: 'pipe', stderr: 'ignore', env: {} })
  const text = await new Response(child.stdout).text()
  if ((await child.exited) !== 0) throw new Error(`${command.join(' ')} ended with status ${child.exitCode}`)
  return text
}
