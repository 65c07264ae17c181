/** Writes metrics in the text format of Prometheus, version 0.0.4. Pure. */

export type Labels = Record<string, string | number>

/** A type and not an interface: so it is known to be JSON. */
export type Family = {
  /** With its unit, and `_total` for counters, as Prometheus wants names. */
  name: string
  help: string
  type: 'counter' | 'gauge' | 'histogram'
  samples: { labels: Labels; value: number; suffix?: '_bucket' | '_sum' | '_count' }[]
}

/** What fell into one bucket of a histogram: not what fell into the lower ones. */
export interface Bucket {
  labels: Labels
  /** Upper bound; Infinity for the last. */
  le: number
  count: number
  sum: number
}

export const expositionType = 'text/plain; version=0.0.4; charset=utf-8'

export function exposition(families: Family[]): string {
  const lines = families.flatMap(({ name, help, type, samples }) => [
    `# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}`,
    `# TYPE ${name} ${type}`,
    ...samples.map(
      ({ labels, value, suffix = '' }) => `${name}${suffix}${labelText(labels)} ${numberText(value)}`,
    ),
  ])
  return `${lines.join('\n')}\n`
}

/** A counter or gauge. */
export function family(
  type: 'counter' | 'gauge',
  name: string,
  help: string,
  samples: { labels?: Labels; value: number }[],
): Family {
  return { name, help, type, samples: samples.map(({ labels = {}, value }) => ({ labels, value })) }
}

export function histogram(name: string, help: string, buckets: Bucket[]): Family {
  const series = new Map<string, Bucket[]>()
  for (const bucket of buckets) {
    const key = labelText(bucket.labels)
    series.set(key, [...(series.get(key) ?? []), bucket])
  }
  // Every series has all bounds that any has: rates over several are wrong otherwise.
  const bounds = [...new Set([...buckets.map(({ le }) => le), Number.POSITIVE_INFINITY])].sort(
    (a, b) => a - b,
  )
  return {
    name,
    help,
    type: 'histogram',
    samples: [...series.values()].flatMap((own) => samplesOf(own, bounds)),
  }
}

function samplesOf(own: Bucket[], bounds: number[]): Family['samples'] {
  const labels = own[0]?.labels ?? {}
  const upTo = (bound: number) => own.reduce((total, { le, count }) => total + (le <= bound ? count : 0), 0)
  const sum = own.reduce((total, bucket) => total + bucket.sum, 0)
  return [
    ...bounds.map((le) => ({
      labels: { ...labels, le: numberText(le) },
      value: upTo(le),
      suffix: '_bucket' as const,
    })),
    { labels, value: sum, suffix: '_sum' },
    { labels, value: upTo(Number.POSITIVE_INFINITY), suffix: '_count' },
  ]
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(String(value))}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}

function numberText(value: number): string {
  return value === Number.POSITIVE_INFINITY ? '+Inf' : String(value)
}
