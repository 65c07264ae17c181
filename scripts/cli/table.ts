/** How answers look to people. */
import { tableLines } from '../command-line.ts'

/** What is not there is a dash. */
export function table(head: string[], rows: (string | number | null | undefined)[][]): string[] {
  return tableLines([head, ...rows.map((row) => row.map((cell) => String(cell ?? '–')))])
}

/** Names and what they are, one a line. */
export function facts(entries: Record<string, unknown>): string[] {
  const shown = Object.entries(entries).filter(([, value]) => value !== null && value !== undefined)
  const width = Math.max(0, ...shown.map(([name]) => name.length))
  return shown.map(([name, value]) => {
    const text = typeof value === 'object' ? JSON.stringify(value) : String(value)
    return `${name.padEnd(width)}  ${text}`
  })
}

/** How long ago, in the largest unit that says something. */
export function ago(time: string | null | undefined, now = Date.now()): string {
  if (time === null || time === undefined) return '–'
  const seconds = Math.round((now - Date.parse(time)) / 1000)
  const [sign, size] = seconds < 0 ? ['in ', -seconds] : ['', seconds]
  const [amount, unit] =
    size < 120
      ? [size, 's']
      : size < 7200
        ? [Math.round(size / 60), 'min']
        : size < 172_800
          ? [Math.round(size / 3600), 'h']
          : [Math.round(size / 86_400), 'd']
  return sign === '' ? `${amount} ${unit} ago` : `in ${amount} ${unit}`
}
