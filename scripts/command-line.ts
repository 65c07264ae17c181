/** What the commands have in common: how words are read, whose database they speak to, and tables. */
import { parseArgs } from 'node:util'
import type { ConfigWithoutStorage } from '../core/config.ts'
import { configWithoutStorageOrExit } from '../core/config-or-exit.ts'
import { readStackInfo } from './stack.ts'

/** The words of the command line make no command. */
export class UsageError extends Error {}

type Values = Record<string, string | boolean | (string | boolean)[] | undefined>

/** @throws UsageError for an option that is unknown, lacks its value, or stands more often than it can count */
export function readWords(
  args: string[],
  known: Record<string, { type: 'string' | 'boolean'; multiple?: boolean; short?: string }>,
): { words: string[]; values: Values } {
  const { values, positionals, tokens } = parsed(args, known)
  const given = tokens.flatMap((token) => (token.kind === 'option' ? [token.name] : []))
  // By itself the last would count, and those before it be passed over.
  const repeated = given.find((name, place) => {
    return given.indexOf(name) < place && known[name]?.type === 'string' && known[name].multiple !== true
  })
  if (repeated !== undefined) throw new UsageError(`--${repeated} can be given once.`)
  return { words: positionals, values }
}

function parsed(args: string[], options: Parameters<typeof readWords>[1]) {
  try {
    return parseArgs({ args, allowPositionals: true, tokens: true, options })
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

/**
 * What nobody reads was meant to say something.
 * @param hint where it may have been meant to go
 * @throws UsageError for more words than the command takes
 */
export function refuseMore(words: string[], most: number, hint?: string): void {
  if (words.length <= most) return
  const more = words.slice(most).map((word) => `"${word}"`)
  const taken = most === 0 ? 'no more words' : most === 1 ? 'one word' : `${most} words`
  const sentences = [`Too much: ${more.join(', ')}.`, `The command takes ${taken}.`, hint ?? '']
  throw new UsageError(sentences.join(' ').trimEnd())
}

/** For where all commands know the same options. @throws UsageError for one that says nothing to this command */
export function refuseOthers(command: string, values: Values, taken: readonly string[]): void {
  const other = Object.keys(values).find((name) => !taken.includes(name))
  if (other !== undefined) throw new UsageError(`--${other} says nothing to "${command}".`)
}

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
