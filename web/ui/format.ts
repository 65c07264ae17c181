/** Numbers and times as people read them. */
const integers = new Intl.NumberFormat('en-GB')
const compact = new Intl.NumberFormat('en-GB', { notation: 'compact', maximumFractionDigits: 1 })
const absoluteStyle = { dateStyle: 'medium', timeStyle: 'long' } as const
const absolute = new Intl.DateTimeFormat('en-GB', absoluteStyle)

export function count(value: number): string {
  return value < 100_000 ? integers.format(value) : compact.format(value)
}

/** `1 job`, `1,200 jobs` */
export function jobCount(jobs: number): string {
  return `${count(jobs)} ${jobs === 1 ? 'job' : 'jobs'}`
}

export function percent(rate: number): string {
  const value = rate * 100
  return `${value > 0 && value < 100 && value !== Math.round(value) ? value.toFixed(1) : Math.round(value)} %`
}

/** `840 ms`, `4.2 s`, `3 m 05 s`, `2 h 14 m`, `3 d 4 h` */
export function duration(seconds: number): string {
  if (seconds < 1) return `${Math.max(0, Math.round(seconds * 1000))} ms`
  if (seconds < 10) return `${seconds.toFixed(1)} s`
  if (seconds < 60) return `${Math.round(seconds)} s`
  const whole = Math.round(seconds)
  if (whole < 3600) return `${Math.floor(whole / 60)} m ${two(whole % 60)} s`
  if (whole < 86_400) return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} m`
  return `${Math.floor(whole / 86_400)} d ${Math.floor((whole % 86_400) / 3600)} h`
}

/** `now`, `12 s ago`, `in 3 m`, `2 d ago` */
export function relative(time: number, now: number): string {
  const seconds = Math.abs(time - now) / 1000
  if (seconds < 1.5) return 'now'
  const text = roughly(seconds)
  return time < now ? `${text} ago` : `in ${text}`
}

function roughly(seconds: number): string {
  if (seconds < 90) return `${Math.round(seconds)} s`
  if (seconds < 5400) return `${Math.round(seconds / 60)} m`
  if (seconds < 129_600) return `${Math.round(seconds / 3600)} h`
  return `${Math.round(seconds / 86_400)} d`
}

/** @param timeZone of IANA; left out: that of who looks */
export function dateTime(time: string, timeZone?: string): string {
  return (timeZone === undefined ? absolute : absoluteIn(timeZone)).format(new Date(time))
}

function absoluteIn(timeZone: string): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat('en-GB', { ...absoluteStyle, timeZone })
  } catch {
    // An older browser need not know it; what is shown instead names its zone, too.
    return absolute
  }
}

export function bytes(size: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB']
  const power = Math.min(units.length - 1, size < 1000 ? 0 : Math.floor(Math.log10(size) / 3))
  const value = size / 1000 ** power
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[power]}`
}

/** The end of a UUIDv7 is what tells two of one second apart. */
export function shortId(id: string): string {
  return id.slice(-8)
}

/** Of a job or of what it did last. */
export function secondsBetween(start: string | null, end: string | null): number | null {
  return start === null || end === null ? null : (Date.parse(end) - Date.parse(start)) / 1000
}

function two(value: number): string {
  return String(value).padStart(2, '0')
}

/** How a definition is called where one word must do. */
export function definitionName({ key, version }: { key: string; version: number }): string {
  return `${key}@${version}`
}
