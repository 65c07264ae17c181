/**
 * Notices that a tool has come to a standstill: for a time it says nothing that shows progress, and neither writes nor
 * reads anything. (Moving the index of an MP4 to its front takes minutes, in which FFmpeg writes but says nothing. Before
 * a late part of a transport stream come hours that it reads and leaves out.) That it computes is no sign: an endless
 * loop does, too.
 */
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'

/** Looks in the time that is allowed. */
const looks = 8

export class StallWatch {
  readonly #timer: NodeJS.Timeout
  #aliveAt = performance.now()
  #moved = ''
  #isOver = false

  /** @param options.directory where the tool writes; what else lies in it is looked at, too */
  constructor(
    private readonly options: {
      seconds: number
      pid: number
      directory: string | undefined
      onStall: () => void
    },
  ) {
    this.#timer = setInterval(() => this.#look(), (options.seconds * 1000) / looks)
  }

  alive(): void {
    this.#aliveAt = performance.now()
  }

  stop(): void {
    this.#isOver = true
    clearInterval(this.#timer)
  }

  async #look(): Promise<void> {
    const { seconds, pid, directory, onStall } = this.options
    const idleMs = () => performance.now() - this.#aliveAt
    if (idleMs() < (seconds * 1000) / looks) return
    const written = directory === undefined ? '' : await writtenIn(directory)
    const moved = `${written} ${await readBy(pid)}`
    if (moved !== this.#moved) {
      this.#moved = moved
      this.alive()
    } else if (idleMs() > seconds * 1000 && !this.#isOver) {
      this.stop()
      onStall()
    }
  }
}

/** Changes with every write to a file of the directory. */
async function writtenIn(directory: string): Promise<string> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  let bytes = 0
  let latestMs = 0
  for (const entry of entries) {
    // It may be gone by now.
    const file = await stat(join(entry.parentPath, entry.name)).catch(() => null)
    if (file === null || !file.isFile()) continue
    bytes += file.size
    latestMs = Math.max(latestMs, file.mtimeMs)
  }
  return `${bytes} ${latestMs}`
}

/** Grows with every read of a file, from memory too, but not of a socket: proc_pid_io(5). Empty where nobody tells. */
async function readBy(pid: number): Promise<string> {
  const counters = await readFile(`/proc/${pid}/io`, 'latin1').catch(() => '')
  return /^rchar: (\d+)$/m.exec(counters)?.[1] ?? ''
}
