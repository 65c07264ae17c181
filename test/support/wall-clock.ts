/** Wall clocks of zones, read from the platform's own calendar: what fire times are judged by. */

const formats = new Map<string, Intl.DateTimeFormat>()

export interface Wall {
  /** `2026-03-29` */
  date: string
  /** `02:30:00` */
  clock: string
  /** 0 is Sunday. */
  weekday: number
}

export function wallOf(time: Date, timezone: string): Wall {
  let format = formats.get(timezone)
  if (format === undefined) {
    format = new Intl.DateTimeFormat('sv-SE', { timeZone: timezone, dateStyle: 'short', timeStyle: 'medium' })
    formats.set(timezone, format)
  }
  const [date = '', clock = ''] = format.format(time).split(' ')
  return { date, clock, weekday: new Date(`${date}T00:00:00Z`).getUTCDay() }
}

/** What a wall clock shows, counted as if it were UTC: differences show jumps. */
export function wallMs(time: Date, timezone: string): number {
  const { date, clock } = wallOf(time, timezone)
  return Date.parse(`${date}T${clock}Z`)
}

/** `2026-02-28`, `2026-03-01`, …: from the first to before the last. */
export function daysBetween(first: string, last: string): string[] {
  const days: string[] = []
  for (let day = Date.parse(first); day < Date.parse(last); day += 86_400_000) {
    days.push(new Date(day).toISOString().slice(0, 10))
  }
  return days
}
