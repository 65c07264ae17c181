/** What the commands have in common: whose database they speak to, what ends in their usage, and tables. */
import type { ConfigWithoutStorage } from '../core/config.ts'
import { configWithoutStorageOrExit } from '../core/config-or-exit.ts'
import { readStackInfo } from './stack.ts'

/** The words of the command line make no command. */
export class UsageError extends Error {}

/** With the database of the stack that runs in this directory, where none is named. */
export async function commandConfig(): Promise<ConfigWithoutStorage> {
  const stack = process.env.DATABASE_URL ? null : await readStackInfo()
  if (stack === null) return configWithoutStorageOrExit(process.env)
  return configWithoutStorageOrExit({ ...process.env, DATABASE_URL: stack.databaseUrl })
}

/** Lines with their columns one below the other. */
export function tableLines(rows: string[][]): string[] {
  const widths = rows.reduce<number[]>(
    (widest, row) => row.map((cell, column) => Math.max(cell.length, widest[column] ?? 0)),
    [],
  )
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}
