/** Looks at the processes of the machine (Linux: /proc). */
import { readdir, readFile, readlink } from 'node:fs/promises'

export interface RunningProcess {
  pid: number
  command: string
}

/** Processes whose command line or working directory names the text. */
export async function processesNaming(text: string): Promise<RunningProcess[]> {
  const found: RunningProcess[] = []
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    try {
      const command = (await readFile(`/proc/${entry}/cmdline`, 'utf8')).replaceAll('\0', ' ')
      const directory = await readlink(`/proc/${entry}/cwd`)
      if (command.includes(text) || directory.includes(text)) found.push({ pid: Number(entry), command })
    } catch {
      // It ended while we looked.
    }
  }
  return found
}
