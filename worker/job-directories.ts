/**
 * Notices changes of job files and of all that lies below their directories. By looking, not by notifications of the
 * file system: those are missing on network file systems and mounted directories, are not recursive everywhere, and
 * lose the file when an editor saves by renaming. A look takes about a millisecond for a hundred files.
 */
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'

/** More than that is no directory of job files; the rest is not watched. */
const entriesLimit = 10_000
const depthLimit = 10

/** Differs when a file was added, removed or written. What can't be read counts as not there. */
export async function fingerprint(directories: string[]): Promise<string> {
  const lines: string[] = []
  for (const directory of directories) await add(directory, lines, depthLimit)
  return lines.join('\n')
}

async function add(directory: string, lines: string[], depth: number): Promise<void> {
  const names = await readdir(directory).catch(() => [])
  for (const name of names.sort()) {
    if (name.startsWith('.') || name === 'node_modules' || lines.length >= entriesLimit) continue
    const path = join(directory, name)
    // Links count for what they lead to.
    const found = await stat(path).catch(() => null)
    if (found === null) continue
    if (!found.isDirectory()) lines.push([path, found.ino, found.size, found.mtimeMs].join(' '))
    else if (depth > 0) await add(path, lines, depth - 1)
  }
}
