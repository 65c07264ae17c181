/**
 * Finds FFmpeg and ffprobe: the configured paths, `ffmpeg-static` where its download worked, PATH, and at last
 * the binaries inside the npm packages of ffmpeg-installer (FFmpeg of 2018: enough for H.264 and AAC).
 */
import { accessSync, chmodSync, constants, existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, join } from 'node:path'

export interface FfmpegBinaries {
  ffmpeg: string
  ffprobe: string
  /** Where the ffmpeg came from. */
  source: 'configuration' | 'ffmpeg-static' | 'PATH' | 'ffmpeg-installer'
}

interface Search {
  ffmpegPath?: string | undefined
  ffprobePath?: string | undefined
  /** The PATH to look in. */
  searchPath: string | undefined
}

/** @throws Error that names what is missing and how to give it */
export function findFfmpeg({ ffmpegPath, ffprobePath, searchPath }: Search): FfmpegBinaries {
  if (ffmpegPath !== undefined) requireExecutable(ffmpegPath, 'FFMPEG_PATH')
  if (ffprobePath !== undefined) requireExecutable(ffprobePath, 'FFPROBE_PATH')
  const { ffmpeg, source } = findEncoder(ffmpegPath, searchPath)
  const ffprobe = ffprobePath ?? onPath('ffprobe', searchPath) ?? installed('@ffprobe-installer/ffprobe')
  if (ffprobe === undefined) {
    throw new Error('No ffprobe was found. Install FFmpeg, or set FFPROBE_PATH to its ffprobe.')
  }
  return { ffmpeg, ffprobe, source }
}

function findEncoder(
  configured: string | undefined,
  searchPath: string | undefined,
): Pick<FfmpegBinaries, 'ffmpeg' | 'source'> {
  const candidates = [
    { source: 'configuration', find: () => configured },
    { source: 'ffmpeg-static', find: () => packaged('ffmpeg-static', (path: string | null) => path) },
    { source: 'PATH', find: () => onPath('ffmpeg', searchPath) },
    { source: 'ffmpeg-installer', find: () => installed('@ffmpeg-installer/ffmpeg') },
  ] as const
  for (const { source, find } of candidates) {
    const ffmpeg = find()
    if (ffmpeg !== undefined) return { ffmpeg, source }
  }
  throw new Error('No FFmpeg was found. Install FFmpeg, or set FFMPEG_PATH to it.')
}

function requireExecutable(path: string, name: string): void {
  if (!isExecutable(path)) throw new Error(`${name} is ${JSON.stringify(path)}, which can not be executed.`)
}

function onPath(name: string, searchPath = ''): string | undefined {
  const file = process.platform === 'win32' ? `${name}.exe` : name
  return searchPath
    .split(delimiter)
    .filter(Boolean)
    .map((directory) => join(directory, file))
    .find(isExecutable)
}

function installed(name: string): string | undefined {
  return packaged(name, ({ path }: { path: string }) => path)
}

/** The path that an npm package of a binary gives, when the package and the binary are there. */
function packaged<Exports>(name: string, pathOf: (exports: Exports) => string | null): string | undefined {
  try {
    const path = pathOf(createRequire(import.meta.url)(name))
    if (path === null || !existsSync(path)) return undefined
    // Installs without lifecycle scripts leave the binary without its execute bit.
    if (!isExecutable(path)) chmodSync(path, 0o755)
    return path
  } catch {
    return undefined
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
