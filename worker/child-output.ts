/** The output streams of the job process, when it is about to exit. */
import { constants, readFileSync } from 'node:fs'

/**
 * What a job wrote by `process.stdout` may still wait in this process, and would go down with it; what it wrote by
 * `console` has gone out. Merely to touch those streams takes as long as to start the process, so only those that
 * the job has used are waited for.
 */
export async function flushOutput(): Promise<void> {
  const used = [
    { descriptor: 1, stream: () => process.stdout },
    { descriptor: 2, stream: () => process.stderr },
  ].filter(({ descriptor }) => mayBeInUse(descriptor))
  await Promise.all(
    used.map(({ stream }) => new Promise<void>((resolve) => stream().end('', () => resolve()))),
  )
}

/** The runtime makes a descriptor non-blocking when its stream is first used. */
function mayBeInUse(descriptor: number): boolean {
  if (process.platform !== 'linux') return true
  try {
    const info = readFileSync(`/proc/self/fdinfo/${descriptor}`, 'latin1')
    const flags = Number.parseInt(/^flags:\s*(\d+)$/m.exec(info)?.[1] ?? '0', 8)
    return (flags & constants.O_NONBLOCK) !== 0
  } catch {
    // The job has closed it.
    return false
  }
}
