/** Figures as text for a terminal. JSON is the same data as it stands. */
import type { Circumstances } from './circumstances.ts'
import type { Measurement, Summary } from './measurement.ts'

export interface BenchResult {
  name: string
  about: string
  rounds: number
  seconds: number
  measurements: Measurement[]
}

const labelWidth = 50
const figureWidth = 16

const meanings = {
  higher: 'higher is better',
  lower: 'lower is better',
  'about 1': 'should be about 1',
} satisfies Record<Measurement['better'], string>

export function circumstancesText({ date, code, machine, versions }: Circumstances): string {
  const { cpu, cores, memoryBytes, system, loadAverage } = machine
  return [
    `Job Server ${versions.jobServer}, code ${code}, ${date}`,
    `${cpu}, ${cores} cores, ${number(memoryBytes / 1024 ** 3)} GiB, ${system}, load ${number(loadAverage)} at the start`,
    `Bun ${versions.bun}, PostgreSQL ${versions.postgresql} (fsync ${versions.fsync}), FFmpeg ${versions.ffmpeg}`,
  ].join('\n')
}

export function resultText({ name, about, rounds, seconds, measurements }: BenchResult): string {
  return [
    `${name}: ${about}`,
    `  median [lowest … highest] of ${rounds} rounds, took ${number(seconds)} s`,
    ...measurements.map(measurementText),
  ].join('\n\n')
}

function measurementText({ name, unit, better, ours, peer, ratio, difference }: Measurement): string {
  return [
    `  ${name}`,
    row(ours.label, ours, unit),
    row(peer.label, peer, unit),
    row(`ratio, ${meanings[better]}`, ratio, ''),
    ...(unit === 's' ? [row('difference', difference, unit)] : []),
  ].join('\n')
}

function row(label: string, { values, median, lowest, highest }: Summary, unit: string): string {
  const figure = `${number(median)} ${unit}`.trim().padStart(figureWidth)
  const spread = values.length > 1 ? `  [${number(lowest)} … ${number(highest)}]` : ''
  return `    ${label.padEnd(labelWidth)}${figure}${spread}`
}

function number(value: number): string {
  return value.toLocaleString('en-US', { maximumSignificantDigits: 3 })
}
