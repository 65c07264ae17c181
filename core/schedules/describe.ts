/** Says in English when an expression fires. */
import cronstrue from 'cronstrue'
import { parseExpression } from './timetable.ts'

const units = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1000],
  ['millisecond', 1],
] as const

/** For example `At 02:30, Monday through Friday (Europe/Berlin)`. @throws SyntaxError when it can't be read */
export function describe(expression: string, timezone: string): string {
  const parsed = parseExpression(expression)
  switch (parsed.kind) {
    case 'interval':
      return `Every ${inUnits(parsed.periodMs)}`
    case 'once': {
      const [day, time = ''] = parsed.time.split('T')
      const [, clock, offset] = /^([\d:.]+)(.*)$/.exec(time) ?? []
      return `Once, on ${day} at ${clock} (${offset === '' ? timezone : `UTC${offset === 'Z' ? '' : offset}`})`
    }
    case 'cron':
      return `${describeCron(parsed.pattern)} (${timezone})`
  }
}

function describeCron(pattern: string): string {
  // What croner takes and cronstrue does not: nicknames in capitals, ? for *, and + for "only if both days match".
  const bothDays = pattern.includes('+')
  const plain = pattern
    .replace(/^@\w+$/, (name) => name.toLowerCase())
    .replaceAll('?', '*')
    .replace('+', '')
  try {
    const text = cronstrue.toString(plain, { use24HourTimeFormat: true })
    return bothDays ? text.replace(', and on ', ', only if on ') : text
  } catch {
    // Rare forms such as 5#L: no description is better than a wrong one.
    return `At the times of ${pattern}`
  }
}

function inUnits(periodMs: number): string {
  let rest = periodMs
  const parts: string[] = []
  for (const [unit, size] of units) {
    const amount = Math.floor(rest / size)
    rest -= amount * size
    if (amount > 0) parts.push(`${amount} ${unit}${amount === 1 ? '' : 's'}`)
  }
  return parts.length === 1 && parts[0]?.startsWith('1 ') ? parts[0].slice(2) : parts.join(' ')
}
