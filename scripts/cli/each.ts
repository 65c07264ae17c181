/** Does the same to several things that were named: what is refused for one keeps no other from being done. */
import { UsageError } from '../command-line.ts'
import { type Options, type Printer, Refused } from './command.ts'

interface Act<Answer> {
  print: Printer
  /** What its id is called in an answer. */
  idName: string
  act(id: string): Promise<Answer>
  /** For people. */
  line(answer: Answer): string
}

/** One after the other, each once. @returns the exit status: 1 when one was refused */
export async function each<Answer extends object>(
  given: string[],
  { print, idName, act, line }: Act<Answer>,
): Promise<number> {
  const ids = [...new Set(given)]
  // As of a variable that is not set: what was meant is not known, so nothing is done.
  if (ids.includes('')) throw new UsageError('Which? One of the names is empty.')
  let status = 0
  for (const id of ids) {
    const whose = ids.length === 1 ? '' : `${id}  `
    try {
      const answer = await act(id)
      print.answer({ [idName]: id, ...answer }, () => [`${whose}${line(answer)}`])
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      status = 1
      print.answer({ [idName]: id, code: error.code, error: error.message }, () => [])
      console.error(`${whose}${error.message}`)
    }
  }
  return status
}

/** @throws UsageError where there are filters beside what is named: they would be passed over */
export function refuseFilters(options: Options, filters: Record<string, unknown>, what: string): void {
  const beside = Object.keys(filters).find(
    (name) => options.text(name) !== undefined || options.list(name) !== undefined,
  )
  if (beside !== undefined) throw new UsageError(`--${beside} can't stand beside a ${what}.`)
}
