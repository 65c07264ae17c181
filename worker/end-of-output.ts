/**
 * What a job process that goes on to another job writes to both of its output streams when one is done: all before
 * it belongs to that job. A line of its own, between NULs, which no text holds.
 */
const form = /^\0end of run \d+\0$/

export function endOfOutput(run: number): string {
  return `\n\0end of run ${run}\0\n`
}

export function isEndOfOutput(line: string): boolean {
  return form.test(line)
}
