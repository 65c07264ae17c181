/** A file outside of everything, in which `chaos.tick` notes when it ran. */
import { mkdtempSync, rmSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'

export const chaosJobs = new URL('../chaos/jobs', import.meta.url).pathname

export interface Ledger {
  path: string
  /** Milliseconds since the epoch, of each attempt that ran, oldest first. */
  ticks(): Promise<Map<number, number[]>>
}

export function openLedger(): Ledger {
  const directory = mkdtempSync(join(tmpdir(), 'job-server-ledger-'))
  afterAll(() => rmSync(directory, { recursive: true, force: true }))
  const path = join(directory, 'ticks')
  return {
    path,
    ticks: async () => {
      const text = await readFile(path, 'utf8').catch(() => '')
      const ticks = new Map<number, number[]>()
      for (const line of text.split('\n').filter(Boolean)) {
        const [attempt = 0, at = 0] = line.split(' ').map(Number)
        ticks.set(attempt, [...(ticks.get(attempt) ?? []), at])
      }
      return ticks
    },
  }
}
