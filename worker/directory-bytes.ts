/** How much room a directory takes on its disk. */
import type { Dirent } from 'node:fs'
import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'

const blockBytes = 512

/** Stops counting above `enough`. What disappears meanwhile counts as nothing. */
export async function directoryBytes(directory: string, enough: number): Promise<number> {
  let bytes = 0
  const open = [directory]
  for (let next = open.pop(); next !== undefined && bytes <= enough; next = open.pop()) {
    for (const entry of await entriesOf(next)) {
      const path = join(next, entry.name)
      if (entry.isDirectory()) open.push(path)
      // Blocks, not sizes: a file with holes takes less than it is long.
      bytes += ((await lstat(path).catch(() => null))?.blocks ?? 0) * blockBytes
    }
  }
  return bytes
}

async function entriesOf(directory: string): Promise<Dirent[]> {
  try {
    return await readdir(directory, { withFileTypes: true })
  } catch {
    return []
  }
}
