/**
 * What an FFmpeg can do, by its own account. A worker asks its binary once, at its start, and tells its jobs; a job asks
 * again only when another binary lies there by now.
 */
import { encodersOf } from './options.ts'

export interface FfmpegAbilities {
  /** Those that it has of the encoders we know a use for. */
  encoders: string[]
  /** Those that it has of the filters that bring HDR to what every screen shows. */
  toneMapping: string[]
  /** Whether it is told the times of frames by `-fps_mode`, as since 5.1, or by `-vsync`. */
  fpsMode: boolean
}

/** Which file it was that had them. */
export interface KnownFfmpeg extends FfmpegAbilities {
  sizeBytes: number
  modifiedAtMs: number
}

export const toneMappingFilters = ['zscale', 'tonemap']

/** @param ask runs the binary with the options; @returns what it printed */
export async function askAbilities(ask: (options: string[]) => Promise<string>): Promise<FfmpegAbilities> {
  const [encoders, filters, help] = await Promise.all(
    [['-encoders'], ['-filters'], ['-h', 'long']].map((options) => ask(['-hide_banner', ...options])),
  )
  return {
    encoders: listed(encoders, Object.values(encodersOf).flat()),
    toneMapping: listed(filters, toneMappingFilters),
    fpsMode: help?.includes('-fps_mode') === true,
  }
}

/** In both lists a name stands behind its flags. */
function listed(list = '', names: string[]): string[] {
  const there = new Set(list.split('\n').map((line) => line.trim().split(/\s+/)[1]))
  return names.filter((name) => there.has(name))
}
