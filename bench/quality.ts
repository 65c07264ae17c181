/**
 * How near the results of `encode.video` are to their sources, on contents that are hard in different ways, and at what
 * size: against libx264 left to its defaults at the same constant quality.
 */
import { mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { contents, qualityOf } from '../scripts/video-quality.ts'
import { type Bench, interleave } from './bench.ts'
import { encodeCommand, runCommand } from './encode-command.ts'
import { compare, type Measurement } from './measurement.ts'

const seconds = 4
const size = '640x360'
/** That of `encode.video` for H.264. */
const crf = '21'

export const qualityBench: Bench = {
  name: 'quality',
  about: `pictures of ${size} encoded by encode.video, compared with their sources`,
  // Encoders give the same every time.
  defaultRounds: 1,
  async run(context) {
    const { stack, onStep } = context
    const { tools } = stack
    const directory = await mkdtemp(join(stack.directory, 'quality-'))
    const measurements: Measurement[] = []
    for (const [content, picture] of Object.entries(contents(size, seconds))) {
      onStep(`making ${content}`)
      const source = join(directory, 'source.mkv')
      const lossless = ['-c:v', 'ffv1', '-pix_fmt', 'yuv420p']
      await runCommand([tools.ffmpeg, '-nostdin', '-y', '-f', 'lavfi', '-i', picture, ...lossless, source])
      const ours = await encodeCommand(tools, source, { quality: '720p' })
      const bare = join(directory, 'bare.mp4')
      const peer = [tools.ffmpeg, '-nostdin', '-y', '-i', source, '-c:v', 'libx264', '-crf', crf, bare]
      const judge = async (command: string[], output: string) => {
        await runCommand(command)
        return { ...(await qualityOf(tools.ffmpeg, output, source)), kilobytes: Bun.file(output).size / 1000 }
      }
      const passes = await interleave(
        context,
        { ours: () => judge(ours.command, ours.output), peer: () => judge(peer, bare) },
        { what: content, warmUp: false },
      )
      for (const { figure, unit, better } of figures) {
        const [of, against] = [passes.ours, passes.peer].map((side) => side.map((pass) => pass[figure] ?? 0))
        // Without libvmaf nothing is measured.
        if (of === undefined || against === undefined || of.includes(0)) continue
        measurements.push(
          compare(
            { name: `${figure} of ${content}`, unit, better },
            { label: 'encode.video', values: of },
            { label: 'libx264 with its defaults', values: against },
          ),
        )
      }
    }
    return measurements
  },
}

const figures = [
  { figure: 'ssim', unit: '', better: 'higher' },
  { figure: 'psnr', unit: 'dB', better: 'higher' },
  { figure: 'vmaf', unit: '', better: 'higher' },
  { figure: 'kilobytes', unit: 'kB', better: 'lower' },
] as const
