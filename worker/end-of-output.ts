/**
 * What a job process that goes on to another job writes to both of its output streams when one is done: all before
 * it belongs to that job. Between NULs, which no text holds.
 */

const opening = Buffer.from('\0end of run ')
const closing = 0
const longest = opening.length + 20

export function endOfOutput(run: number): string {
  return `${opening}${run}\0`
}

/** What was written, up to the first end of a run if there is one. */
export interface Section {
  text: Buffer
  /** The run that it ends; null: it goes on. */
  run: number | null
  /** What follows. Where the section goes on, this may be the beginning of its end, to be looked at with what comes next. */
  rest: Buffer
}

export function cutSection(bytes: Buffer): Section {
  for (let at = bytes.indexOf(closing); at !== -1; at = bytes.indexOf(closing, at + 1)) {
    const run = endAt(bytes, at)
    if (run === 'open') return { text: bytes.subarray(0, at), run: null, rest: bytes.subarray(at) }
    if (run !== null) {
      const { number, length } = run
      return { text: bytes.subarray(0, at), run: number, rest: bytes.subarray(at + length) }
    }
  }
  return { text: bytes, run: null, rest: bytes.subarray(bytes.length) }
}

/** @returns null when it is no end of a run; `open` when more bytes have to tell */
function endAt(bytes: Buffer, at: number): { number: number; length: number } | 'open' | null {
  const found = bytes.subarray(at, at + longest)
  const begins = Math.min(found.length, opening.length)
  if (!found.subarray(0, begins).equals(opening.subarray(0, begins))) return null
  const end = found.indexOf(closing, opening.length)
  if (end === -1) return found.length < longest ? 'open' : null
  const digits = found.toString('latin1', opening.length, end)
  return /^\d+$/.test(digits) ? { number: Number(digits), length: end + 1 } : null
}
