/** Where a job of this process works, and what it leaves there. */
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { childrenOf } from './process-table.ts'

/** For the job, and for programs that it starts. */
export function workIn(directory: string): void {
  process.chdir(directory)
  process.env.TMPDIR = directory
}

/** Whether the process can take another job: nothing it started runs, and its scratch directory could be emptied. */
export function isAsBefore(scratchDirectory: string): boolean {
  try {
    for (const name of readdirSync(scratchDirectory))
      rmSync(join(scratchDirectory, name), { recursive: true, force: true })
  } catch {
    return false
  }
  // Where the kernel does not tell, the coordinator looks, and gives one job at a time.
  return (childrenOf(process.pid) ?? '') === ''
}
