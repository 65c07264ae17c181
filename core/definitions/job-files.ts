/**
 * Finds job files: every file directly in the given directories whose name does not begin with `_` or `.`, but for
 * tests (`*.test.ts`, `*.spec.ts`), and the `_hooks.ts` of a directory, which holds hooks for all definitions in it.
 * Nothing is loaded here.
 */
import { readdir, stat } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'

export interface JobFile {
  path: string
  directory: string
}

export interface JobFiles {
  /** In the order in which they count, when two define the same. */
  files: JobFile[]
  /** A directory that can't be read, under its own name. */
  broken: { file: string; error: string }[]
}

const sourceName = /^[^.].*\.(ts|mts|js|mjs)$/

export async function findJobFiles(directories: string[]): Promise<JobFiles> {
  const found: JobFiles = { files: [], broken: [] }
  for (const directory of directories) {
    try {
      for (const name of (await readdir(directory)).sort()) {
        const path = resolve(join(directory, name))
        if (isJobFile(name) && (await isFile(path))) found.files.push({ path, directory })
      }
    } catch (error) {
      found.broken.push({ file: directory, error: error instanceof Error ? error.message : String(error) })
    }
  }
  return found
}

export function isHooksFile(path: string): boolean {
  return /^_hooks\.(ts|mts|js|mjs)$/.test(basename(path))
}

function isJobFile(name: string): boolean {
  if (!sourceName.test(name) || /\.(d|test|spec)\.\w+$/.test(name)) return false
  return !name.startsWith('_') || isHooksFile(name)
}

/** Links count for what they lead to: mounted configuration is nothing but links. */
async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null))?.isFile() ?? false
}
