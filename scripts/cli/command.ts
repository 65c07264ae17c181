/** What a command of the command line is, and what it gets. */
import type { createApiClient } from '../../api/client.ts'
import { UsageError } from '../command-line.ts'
import { givenKey, type Problem, refusal } from './refusal.ts'

export interface Command {
  /** One or two. */
  words: string
  /** What follows the words, as the help shows it. */
  takes: string
  does: string
  options?: Record<string, Option>
  /** @returns the exit status; 0 when nothing */
  run(context: CommandContext): Promise<number | undefined>
}

interface Option {
  type: 'string' | 'boolean'
  multiple?: boolean
  /** What follows its name, as the help shows it. */
  takes?: string
  /** Where the options are too many to stand behind the words: a line of the help. */
  does?: string
}

interface CommandContext {
  api: Api
  /** What stands behind the words. */
  given: string[]
  options: Options
  print: Printer
}

export type Api = ReturnType<typeof createApiClient>

export interface Options {
  text(name: string): string | undefined
  /** @throws UsageError when it is no number */
  number(name: string): number | undefined
  flag(name: string): boolean
  list(name: string): string[] | undefined
}

export interface Printer {
  /** For people a table or lines, for programs (`--json`) the whole answer. */
  answer(whole: unknown, forPeople: () => string[]): void
  /** For people alone. */
  note(line: string): void
  isJson: boolean
}

/** The API refused, or could not be reached. */
export class Refused extends Error {}

/** The body of an answer. @throws Refused with what the API says of it */
export async function bodyOf<Body>(response: {
  ok: boolean
  status: number
  json(): Promise<Body>
}): Promise<Body> {
  if (response.ok) return await response.json()
  const problem = (await response.json().catch(() => null)) as Problem | null
  throw new Refused(refusal(response.status, problem, givenKey() !== undefined))
}

/** The one thing that a command can't do without. */
export function first(given: string[], what: string): string {
  const [value] = given
  if (value === undefined || value === '') throw new UsageError(`Which? ${what} is missing.`)
  return value
}
