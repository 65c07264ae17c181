/**
 * The processes of this machine as the kernel knows them: /proc on Linux, where a look takes 5 to 20 µs a process,
 * `ps` elsewhere.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

export interface ProcessRow {
  pid: number
  parent: number
  group: number
  /** 0 where it can't be known. */
  session: number
  /** Tells a process from a later one with the same id. In units of its own; grows with time. */
  startTime: number
  residentBytes: number
}

const isLinux = process.platform === 'linux'
let pageBytes: number | undefined

/** Those that have ended and only wait for their parent to notice are left out. */
export async function readProcessTable(): Promise<Map<number, ProcessRow>> {
  return tableOf(isLinux ? readLinux(idsInUse()) : await readElsewhere())
}

/**
 * Those made since the process was, which must be a moment ago: ids are given out in order, and come round again. All
 * where the kernel does not tell how far they have come.
 */
export async function readYoungProcesses(since: number): Promise<Map<number, ProcessRow>> {
  const last = lastProcessId()
  if (last === null || last < since) return await readProcessTable()
  return tableOf(readLinux(idsInUse().filter((pid) => pid >= since && pid <= last)))
}

/** Those of the processes that still run. Linux only. */
export function readProcesses(pids: Iterable<number>): Map<number, ProcessRow> {
  return tableOf(readLinux(pids))
}

/** The process id that was given out last: while it stays the same, none has been made. Null where the kernel does not tell. */
export function lastProcessId(): number | null {
  // proc_loadavg(5); threads count, too.
  return isLinux ? Number(readFileSync('/proc/loadavg', 'latin1').split(' ')[4]) : null
}

/** For a process that has not been waited for. 0 where it takes another process to find out. */
export function startTimeOf(pid: number): number {
  return isLinux ? Number(statFields(pid)?.[19] ?? 0) : 0
}

/** Whether the process was started with this among its environment, or by a process that was. Linux only. */
export function wasStartedWith(pid: number, assignment: string): boolean {
  try {
    return isLinux && readFileSync(`/proc/${pid}/environ`, 'latin1').includes(assignment)
  } catch {
    // Gone, or of another user.
    return false
  }
}

/** Whether the process works in the directory or below. Linux only. */
export function worksIn(pid: number, directory: string): boolean {
  try {
    return isLinux && `${readlinkSync(`/proc/${pid}/cwd`)}/`.startsWith(`${directory}/`)
  } catch {
    return false
  }
}

/** Ids of its children, at a fraction of the cost of the whole table; null where the kernel does not tell. */
export function childrenOf(pid: number): string | null {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1')
  } catch {
    return null
  }
}

function tableOf(rows: ProcessRow[]): Map<number, ProcessRow> {
  return new Map(rows.map((row) => [row.pid, row]))
}

function idsInUse(): number[] {
  return readdirSync('/proc').map(Number).filter(Number.isInteger)
}

function readLinux(pids: Iterable<number>): ProcessRow[] {
  const rows: ProcessRow[] = []
  for (const pid of pids) {
    const fields = statFields(pid)
    if (fields === null || fields[0] === 'Z' || fields[0] === 'X') continue
    rows.push({
      pid,
      parent: Number(fields[1]),
      group: Number(fields[2]),
      session: Number(fields[3]),
      startTime: Number(fields[19]),
      residentBytes: Number(fields[21]) * pageSize(),
    })
  }
  return rows
}

/** Fields of /proc/<pid>/stat from the third (state) on: proc_pid_stat(5). Null when it is gone. */
function statFields(pid: number): string[] | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The second field is the name, in parentheses, and may hold anything.
    return text.slice(text.lastIndexOf(')') + 2).split(' ')
  } catch {
    return null
  }
}

function pageSize(): number {
  pageBytes ??=
    Number(/^KernelPageSize: +(\d+) kB$/m.exec(readFileSync('/proc/self/smaps', 'latin1'))?.[1]) * 1024
  return pageBytes
}

async function readElsewhere(): Promise<ProcessRow[]> {
  const ps = Bun.spawn(['ps', '-A', '-o', 'pid=,ppid=,pgid=,rss=,stat=,lstart='], {
    stdin: 'ignore',
    stderr: 'ignore',
  })
  const lines = (await new Response(ps.stdout).text()).split('\n').filter(Boolean)
  return lines
    .map((line) => line.trim().split(/ +/))
    .filter(([, , , , state = '']) => !state.startsWith('Z'))
    .map(([pid, parent, group, kilobytes, , ...started]) => ({
      pid: Number(pid),
      parent: Number(parent),
      group: Number(group),
      session: 0,
      startTime: Date.parse(started.join(' ')),
      residentBytes: Number(kilobytes) * 1024,
    }))
}
