/**
 * The memory of the container that this process runs in, as the files of its control group tell (Linux: the kernel's
 * cgroup-v2.rst and cgroup-v1/memory.rst).
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

interface ContainerMemory {
  limitBytes: number
  /** Of all processes in it, without what the kernel takes back by itself: cached files. */
  usedBytes(): number
}

/** Version 2, then version 1. What a process has for itself, and what it keeps in memory as files or shares. */
const versions = [
  { limit: 'memory.max', stat: 'memory.stat', counted: /^(?:anon|shmem) (\d+)$/gm },
  {
    limit: 'memory/memory.limit_in_bytes',
    stat: 'memory/memory.stat',
    counted: /^(?:total_rss|total_shmem) (\d+)$/gm,
  },
]

/**
 * @param directory where the control group of the container is mounted
 * @returns null where nothing limits it
 */
export function containerMemory(directory = '/sys/fs/cgroup'): ContainerMemory | null {
  for (const { limit, stat, counted } of versions) {
    const limitBytes = limitIn(join(directory, limit))
    if (limitBytes === null) continue
    return {
      limitBytes,
      usedBytes: () => {
        const text = readFileSync(join(directory, stat), 'latin1')
        return [...text.matchAll(counted)].reduce((sum, [, bytes]) => sum + Number(bytes), 0)
      },
    }
  }
  return null
}

/** No limit is `max`, or more than any machine has. */
function limitIn(path: string): number | null {
  try {
    const bytes = Number.parseInt(readFileSync(path, 'latin1'), 10)
    return Number.isSafeInteger(bytes) ? bytes : null
  } catch {
    return null
  }
}
