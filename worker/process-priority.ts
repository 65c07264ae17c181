/** How the system is to treat a job process beside the coordinator. */
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { setPriority } from 'node:os'

/** @param nice 1 to 19; also for what the process starts from now on */
export function beNice(pid: number, nice: number): void {
  const tasks = `/proc/${pid}/task`
  // Linux counts by thread.
  const threads = existsSync(tasks) ? readdirSync(tasks).map(Number) : [pid]
  for (const thread of threads) {
    try {
      setPriority(thread, nice)
    } catch {
      // A thread that just ended, or a system that does not let us: the job runs all the same.
    }
  }
}

/** When the machine runs out of memory, the kernel shall take the job and not the coordinator. */
export function sacrificeFirst(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, '500')
  } catch {
    // Not Linux, or not allowed.
  }
}
