/** What a command of the command line is, and what it gets. */
import type { createApiClient } from '../../api/client.ts'
import { UsageError } from '../command-line.ts'
import { givenKey, type Problem, refusal } from './refusal.ts'

export interface Command {
  /** One or two. */
  words: string
  /** What follows the words, as the help shows it. */
  takes: string
  /** So many stand behind them at most, options aside. */
  mostWords: number
  /** Said of more: where they may have been meant to go. */
  whereElse?: string
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
export class Refused extends Error {
  readonly exitStatus: number = 1
  /** The API's own; null where it said none. */
  readonly code: string | null

  constructor(message: string, { code = null, ...options }: ErrorOptions & { code?: string | null } = {}) {
    super(message, options)
    this.code = code
  }
}

/** Nobody answered, or said that it can't be now: asked again later, the API may well answer. */
export class NotNow extends Refused {
  /** As long as the API asked for; 0 where it named no time. */
  readonly retryAfterSeconds: number

  constructor(
    message: string,
    {
      retryAfterSeconds = 0,
      ...options
    }: ErrorOptions & { code?: string | null; retryAfterSeconds?: number } = {},
  ) {
    super(message, options)
    this.retryAfterSeconds = retryAfterSeconds
  }
}

export interface Answer<Body> {
  ok: boolean
  status: number
  headers: Headers
  json(): Promise<Body>
}

/** The body of an answer. @throws Refused with what the API says of it */
export async function bodyOf<Body>(response: Answer<Body>): Promise<Body> {
  if (response.ok) {
    return await response.json().catch((cause) => {
      throw new NotNow('The answer broke off, or is none of the API.', { cause })
    })
  }
  const problem = (await response.json().catch(() => null)) as Problem | null
  const message = refusal(response.status, problem, givenKey() !== undefined)
  const code = problem?.code ?? null
  if (response.status !== 429 && response.status < 500) throw new Refused(message, { code })
  // It may be a date instead (RFC 9110): not from our API.
  const retryAfterSeconds = Number(response.headers.get('retry-after')) || 0
  throw new NotNow(message, { code, retryAfterSeconds })
}

/** The one thing that a command can't do without. */
export function first(given: string[], what: string): string {
  const [value] = given
  if (value === undefined || value === '') throw new UsageError(`Which? ${what} is missing.`)
  return value
}

/** As a part of a path: the client puts it there as it is, where `?`, `#` and `/` would mean something else. */
export function inPath(given: string): string {
  return encodeURIComponent(given)
}
