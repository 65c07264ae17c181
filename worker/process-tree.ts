/**
 * A job process and all that came of it, also what left its group or lost its parents. A process belongs to the tree
 * when it is in a group or session of the tree, its parent is in the tree, or it was seen in the tree before. Those
 * that hide are found by the mark in the environment they were started with, or by the directory they work in. Only
 * what gives up all of that between two looks is not found.
 */
import {
  childrenOf,
  type ProcessRow,
  readProcessTable,
  readYoungProcesses,
  startTimeOf,
  wasStartedWith,
  worksIn,
} from './process-table.ts'

const patienceMs = 2000
const betweenLooksMs = 5
/** No machine gives out all of its process ids in that. */
const youngMs = 1000
/** Name of the mark in the environment of a job process. */
export const markName = 'JOB_SERVER_PROCESS'

/** What is needed to find the tree again from another process. */
export interface TreeRoot {
  pid: number
  startTime: number
  mark: string
}

export class ProcessTree {
  /** What works in one of these is of the tree. */
  directories: string[] = []
  readonly #seen = new Map<number, number>()
  readonly #sessions: Set<number>

  /**
   * @param root a process that leads its own session and group
   * @param madeAt by `performance.now()`, where that is known
   */
  constructor(
    readonly root: TreeRoot,
    private readonly madeAt = Number.NEGATIVE_INFINITY,
  ) {
    this.#sessions = new Set([root.pid])
    this.#seen.set(root.pid, root.startTime)
  }

  /** The tree of a process just spawned, which must not have been waited for. */
  static of(pid: number, mark: string): ProcessTree {
    return new ProcessTree({ pid, startTime: startTimeOf(pid), mark }, performance.now())
  }

  /** @param options.hidden finds those that hide too, which takes two more reads for each process that is younger */
  members(table: Map<number, ProcessRow>, options = { hidden: false }): ProcessRow[] {
    const found = new Set<ProcessRow>()
    // If the root's id has gone to another process, its session and group ids may have too.
    const reused = table.get(this.root.pid)
    if (reused !== undefined && !this.#hasSeen(reused)) this.#sessions.delete(this.root.pid)
    let before: number
    do {
      before = found.size
      for (const row of table.values()) {
        if (found.has(row) || !this.#belongs(row, table, found)) continue
        found.add(row)
        this.#sessions.add(row.session || row.group)
      }
    } while (found.size > before)
    if (options.hidden) {
      for (const row of table.values()) if (!found.has(row) && this.#isHidden(row)) found.add(row)
    }
    for (const { pid, startTime } of found) this.#seen.set(pid, startTime)
    return [...found]
  }

  /** SIGKILL to the group. Only while the root has not been waited for, or just now: its id must be its own. */
  killGroup(): void {
    kill(-this.root.pid)
  }

  /** Kills what there is until nothing is left. @returns whether that was seen within some seconds */
  async end(): Promise<boolean> {
    for (let waitedMs = 0; waitedMs <= patienceMs; waitedMs += betweenLooksMs) {
      // A look that fails, for want of descriptors perhaps, says nothing: the next one may.
      const left = await this.#lookForAll().catch(() => null)
      if (left?.length === 0) return true
      for (const { pid } of left ?? []) kill(pid)
      await Bun.sleep(betweenLooksMs)
    }
    return false
  }

  async #lookForAll(): Promise<ProcessRow[]> {
    const isYoung = performance.now() < this.madeAt + youngMs
    const table = await (isYoung ? readYoungProcesses(this.root.pid) : readProcessTable())
    return this.members(table, { hidden: true })
  }

  #belongs(row: ProcessRow, table: Map<number, ProcessRow>, found: Set<ProcessRow>): boolean {
    const parent = table.get(row.parent)
    return (
      this.#hasSeen(row) ||
      this.#sessions.has(row.session) ||
      this.#sessions.has(row.group) ||
      (parent !== undefined && found.has(parent))
    )
  }

  #hasSeen({ pid, startTime }: ProcessRow): boolean {
    const seen = this.#seen.get(pid)
    // 0: not known. The first look tells.
    if (seen === 0) this.#seen.set(pid, startTime)
    return seen === 0 || seen === startTime
  }

  #isHidden({ pid, startTime }: ProcessRow): boolean {
    if (startTime < this.root.startTime) return false
    if (this.directories.some((directory) => worksIn(pid, directory))) return true
    return wasStartedWith(pid, `${markName}=${this.root.mark}`)
  }
}

/** Whether the root has started something that still runs. */
export async function hasChildren(tree: ProcessTree): Promise<boolean> {
  const children = childrenOf(tree.root.pid)
  return children === null ? tree.members(await readProcessTable()).length > 1 : children !== ''
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    // Gone by itself, or it has become another user: neither is ours to end.
    if (!(error instanceof Error && 'code' in error && (error.code === 'ESRCH' || error.code === 'EPERM')))
      throw error
  }
}
