/** What the FFmpeg at hand can do: as the worker found it at its start, or asked once more when it was replaced. */
import { stat } from 'node:fs/promises'
import { askAbilities, type FfmpegAbilities } from '../../core/encode/abilities.ts'
import type { JobContext } from '../../core/job.ts'
import { runTool, type ToolCare } from './ffmpeg.ts'

export async function abilitiesOf(
  { ffmpeg, known }: JobContext['tools'],
  care: ToolCare,
): Promise<FfmpegAbilities> {
  if (known !== undefined) {
    const { size, mtimeMs } = await stat(ffmpeg)
    if (size === known.sizeBytes && mtimeMs === known.modifiedAtMs) return known
  }
  return await askAbilities(async (options) => (await runTool('FFmpeg', ffmpeg, options, care)).stdout)
}
