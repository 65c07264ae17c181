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

export function killQuietly(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It ended by itself meanwhile.
  }
}

/** Pids of the processes that the process started and that live. */
export async function childrenOf(pid: number): Promise<number[]> {
  const children: number[] = []
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    try {
      // The command, in parentheses, may hold anything; the parent is the second field after it.
      const stat = await readFile(`/proc/${entry}/stat`, 'utf8')
      const [, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      if (Number(parent) === pid) children.push(Number(entry))
    } catch {
      // It ended while we looked.
    }
  }
  return children
}
