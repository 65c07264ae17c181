/** What a job leaves behind in its process. */
import { readdirSync, rmSync } from 'node:fs'
import { childrenOf } from './process-table.ts'

/** Whether the process can take another job: nothing it started runs, and its scratch directory could be emptied. */
export function isAsBefore(scratchDirectory: string): boolean {
  try {
    for (const name of readdirSync(scratchDirectory))
      rmSync(`${scratchDirectory}/${name}`, { recursive: true, force: true })
  } catch {
    return false
  }
  // Where the kernel does not tell, the coordinator looks, and gives one job at a time.
  return (childrenOf(process.pid) ?? '') === ''
}
