/** What every process of ours knows of itself. The prefixes keep those of one program apart from those of another. */
import { type Family, family } from './exposition.ts'

export function limitFamilies(
  prefix: string,
  { poolSize, spansDropped }: { poolSize: number; spansDropped: number },
): Family[] {
  return [
    family('gauge', `${prefix}_pool_size`, 'Connections to PostgreSQL that the process may open.', [
      { value: poolSize },
    ]),
    family('counter', `${prefix}_spans_dropped_total`, 'Spans of the process that no collector took.', [
      { value: spansDropped },
    ]),
  ]
}

export function usageFamilies(prefix: string): Family[] {
  const { rss } = process.memoryUsage()
  const { user, system } = process.cpuUsage()
  return [
    family('gauge', `${prefix}_resident_memory_bytes`, 'Resident memory of the process.', [{ value: rss }]),
    family('counter', `${prefix}_cpu_seconds_total`, 'CPU time of the process.', [
      { value: (user + system) / 1e6 },
    ]),
  ]
}
