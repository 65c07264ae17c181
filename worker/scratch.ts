/**
 * Scratch directories: one of this coordinator, named after its host and process, and one below it for each
 * attempt. What coordinators of this host that no longer run left behind is removed at start; containers that
 * share a volume have host names of their own, so none takes another's process id for its own.
 */
import { mkdirSync } from 'node:fs'
import { chmod, mkdir, readdir, rm } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'

export class Scratch {
  readonly directory: string
  readonly #root: string

  constructor(root: string | undefined, name = 'job-server-scratch') {
    this.#root = join(root ?? tmpdir(), name)
    this.directory = join(this.#root, `${hostname()}.${process.pid}`)
  }

  async start(): Promise<void> {
    await mkdir(this.#root, { recursive: true })
    for (const name of await readdir(this.#root)) {
      const at = name.lastIndexOf('.')
      const pid = Number(name.slice(at + 1))
      if (name.slice(0, at) === hostname() && (pid === process.pid || !isRunning(pid))) {
        await remove(join(this.#root, name))
      }
    }
    await mkdir(this.directory, { recursive: true })
  }

  /** A job waits for it: the way over another thread and back takes ten times as long as the system needs. */
  make(name: string): string {
    const directory = join(this.directory, name)
    mkdirSync(directory)
    return directory
  }

  async remove(name: string): Promise<void> {
    await remove(join(this.directory, name))
  }

  async stop(): Promise<void> {
    await remove(this.directory)
  }
}

async function remove(directory: string): Promise<void> {
  const options = { recursive: true, force: true, maxRetries: 3 }
  try {
    await rm(directory, options)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && (error.code === 'EACCES' || error.code === 'EPERM')))
      throw error
    // A job may have taken from us the right to look into a directory of ours.
    await allowAll(directory)
    await rm(directory, options)
  }
}

async function allowAll(directory: string): Promise<void> {
  await chmod(directory, 0o700)
  for (const entry of await readdir(directory, { withFileTypes: true }))
    if (entry.isDirectory()) await allowAll(join(directory, entry.name))
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
