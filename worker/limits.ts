/**
 * What an attempt may take: memory by the resident pages of its whole process tree, disk by its scratch directory.
 * Both are looked at from outside, memory four times a second for all attempts together, so no job can dodge them,
 * and a limit may be passed for a moment. Memory that processes share counts for each of them.
 *
 * All together may take what memory the container has. Beyond that the kernel may end all that is in it, the coordinator
 * and every other job; so the largest attempt is ended before.
 */
import { readFileSync } from 'node:fs'
import type { Log } from '../core/log.ts'
import { containerMemory } from './container-memory.ts'
import { directoryBytes } from './directory-bytes.ts'
import { lastProcessId, type ProcessRow, readProcesses, readProcessTable } from './process-table.ts'
import type { ProcessTree } from './process-tree.ts'

const memoryIntervalMs = 250
const scratchIntervalMs = 1000
/** A look may take this share of the time between two looks: on machines with thousands of processes or files. */
const shareOfTime = 0.05
/** Of the container's memory: for what the attempts take until the next look, and what the kernel needs for them. */
const reserveShare = 0.1
/** So long what an attempt had is waited for after it was ended. */
const endMs = 2000
const mebibyte = 1024 * 1024

type ExceededLimit = 'out_of_memory' | 'container_full' | 'scratch_full'

export interface Watched {
  tree: ProcessTree
  scratchDirectory: string
  limits: { memoryLimitMb: number; scratchLimitMb: number }
  exceeded(limit: ExceededLimit): void
}

export interface Watch {
  readonly peakMemoryBytes: number
  /** Whether the kernel killed a process for want of memory since the watch began, or just before: perhaps one of ours. */
  sawOomKill(): boolean
  stop(): void
}

export class LimitWatch {
  readonly #attempts = new Set<WatchedAttempt>()
  #timer: NodeJS.Timeout | undefined
  /** As of the last look. */
  #oomKills = 0
  /** The newest process at the last look at all of them. */
  #newest: number | null = null

  constructor(
    private readonly log: Log,
    private readonly container = containerMemory(),
  ) {}

  watch(watched: Watched): Watch {
    if (this.#timer === undefined) {
      this.#oomKills = kernelOomKills()
      this.#timer = setTimeout(() => this.#look(), memoryIntervalMs)
    }
    const attempt = new WatchedAttempt(watched, this.#oomKills, () => this.#attempts.delete(attempt))
    this.#attempts.add(attempt)
    this.#newest = null
    return attempt
  }

  async #look(): Promise<void> {
    const began = performance.now()
    this.#oomKills = kernelOomKills()
    try {
      const table = await this.#readProcesses()
      for (const attempt of this.#attempts) attempt.lookAtMemory(table)
      this.#lookAtContainer()
    } catch (error) {
      this.log.warn({ err: error }, 'limits.not_seen')
    }
    const wait = pause(memoryIntervalMs, began)
    this.#timer = this.#attempts.size === 0 ? undefined : setTimeout(() => this.#look(), wait)
  }

  #lookAtContainer(): void {
    if (this.container === null) return
    const excess = this.container.usedBytes() - this.container.limitBytes * (1 - reserveShare)
    if (excess <= 0) return
    const attempts = [...this.#attempts].sort((one, other) => other.memoryBytes - one.memoryBytes)
    // One at a time: what it frees may be enough for the others.
    if (attempts.some(({ isEnding }) => isEnding)) return
    // Where others fill it, it is of no use to end jobs.
    if (attempts.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0) < excess) return
    attempts[0]?.end('container_full')
  }

  /**
   * While no process has been made, none has joined the trees, and it is enough to look at their members: to look at all
   * takes ten to a hundred times as long, and a job that uses every processor waits for it.
   */
  async #readProcesses(): Promise<Map<number, ProcessRow>> {
    const newest = lastProcessId()
    const isSame = newest !== null && newest === this.#newest
    const members = [...this.#attempts].flatMap(({ members }) => members)
    const table = isSame ? readProcesses(new Set(members)) : await readProcessTable()
    this.#newest = newest
    return table
  }
}

class WatchedAttempt implements Watch {
  peakMemoryBytes = 0
  /** As of the last look. */
  memoryBytes = 0
  /** Process ids of its tree, as of the last look. */
  members: number[] = []
  #endedAt = Number.NEGATIVE_INFINITY
  #timer: NodeJS.Timeout | undefined

  constructor(
    private readonly watched: Watched,
    private readonly oomKillsBefore: number,
    private readonly forget: () => void,
  ) {
    this.#timer = setTimeout(() => this.#lookAtScratch(), scratchIntervalMs)
  }

  sawOomKill(): boolean {
    return kernelOomKills() > this.oomKillsBefore
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.forget()
  }

  lookAtMemory(table: Map<number, ProcessRow>): void {
    const { tree, limits } = this.watched
    const rows = tree.members(table)
    this.members = rows.map(({ pid }) => pid)
    this.memoryBytes = rows.reduce((sum, { residentBytes }) => sum + residentBytes, 0)
    this.peakMemoryBytes = Math.max(this.peakMemoryBytes, this.memoryBytes)
    if (this.memoryBytes > limits.memoryLimitMb * mebibyte) this.end('out_of_memory')
  }

  end(limit: ExceededLimit): void {
    this.#endedAt = performance.now()
    this.watched.exceeded(limit)
  }

  /** Whether it was ended, and may have its memory still. */
  get isEnding(): boolean {
    return this.members.length > 0 && performance.now() < this.#endedAt + endMs
  }

  async #lookAtScratch(): Promise<void> {
    const began = performance.now()
    const { scratchDirectory, limits } = this.watched
    const limitBytes = limits.scratchLimitMb * mebibyte
    if ((await directoryBytes(scratchDirectory, limitBytes)) > limitBytes) this.end('scratch_full')
    else if (this.#timer !== undefined) {
      this.#timer = setTimeout(() => this.#lookAtScratch(), pause(scratchIntervalMs, began))
    }
  }
}

function pause(intervalMs: number, began: number): number {
  return Math.max(intervalMs, (performance.now() - began) / shareOfTime)
}

/** Of the whole machine, since it is up (Linux). */
function kernelOomKills(): number {
  try {
    return Number(/^oom_kill (\d+)$/m.exec(readFileSync('/proc/vmstat', 'latin1'))?.[1] ?? 0)
  } catch {
    return 0
  }
}
