/** Waiting and run times: of the minutes before somebody looked by history, from then on noted every few seconds. */
import { useQuery } from '@tanstack/react-query'
import type { InferResponseType } from 'hono/client'
import { useMemo } from 'react'
import { ApiProblem, api, read, sendSigned } from '../../api.ts'
import { serverNow } from '../../server-clock.ts'
import { type Histogram, percentileBetween, readHistogram } from './histogram.ts'

export const latencySpanSeconds = 600
const everyMs = 5000
const windowMs = 60_000

interface Reading {
  at: number
  wait: Histogram
  run: Histogram
}

/** Kept from one visit of the view to the next. */
let readings: Reading[] = []

export interface Latency {
  times: number[]
  wait: { p50: (number | null)[]; p95: (number | null)[] }
  run: { p50: (number | null)[]; p95: (number | null)[] }
}

export function useLatency(): Latency {
  const { data = readings } = useQuery({
    queryKey: ['latency'],
    queryFn: takeReading,
    refetchInterval: everyMs,
    structuralSharing: false,
  })
  const { data: past } = useQuery({
    queryKey: ['latency', 'past'],
    queryFn: () => read(api.v1.metrics.latency.$get({ query: { minutes: String(latencySpanSeconds / 60) } })),
    staleTime: Number.POSITIVE_INFINITY,
  })
  return useMemo(() => after(pastOf(past?.data ?? []), latencyOf(data)), [past, data])
}

type Minute = InferResponseType<typeof api.v1.metrics.latency.$get>['data'][number]

/** Each in the middle of its minute. */
function pastOf(minutes: Minute[]): Latency {
  const lines = (kind: 'wait' | 'run') => ({
    p50: minutes.map((minute) => minute[kind]?.p50 ?? null),
    p95: minutes.map((minute) => minute[kind]?.p95 ?? null),
  })
  const times = minutes.map(({ period }) => Date.parse(period) / 1000 + 30)
  return { times, wait: lines('wait'), run: lines('run') }
}

/** @returns the past up to where the present begins, and the present */
function after(past: Latency, present: Latency): Latency {
  const begin = present.times[0] ?? serverNow() / 1000
  const kept = past.times.filter((time) => time < begin).length
  const joined = (of: (latency: Latency) => (number | null)[]) => [...of(past).slice(0, kept), ...of(present)]
  return {
    times: [...past.times.slice(0, kept), ...present.times],
    wait: { p50: joined(({ wait }) => wait.p50), p95: joined(({ wait }) => wait.p95) },
    run: { p50: joined(({ run }) => run.p50), p95: joined(({ run }) => run.p95) },
  }
}

async function takeReading(): Promise<Reading[]> {
  const answer = await sendSigned('/metrics')
  if (!answer.ok) throw new ApiProblem('The metrics could not be read.', answer.status, 'metrics')
  const text = await answer.text()
  const at = serverNow()
  const reading = {
    at,
    wait: readHistogram(text, 'job_server_claim_wait_seconds'),
    run: readHistogram(text, 'job_server_attempt_run_seconds'),
  }
  readings = [...readings.filter((old) => old.at > at - latencySpanSeconds * 1000), reading]
  return readings
}

/** Each point speaks of the minute before it, or of what is known of that minute. */
function latencyOf(all: Reading[]): Latency {
  const points = all.slice(1).map((reading, index) => {
    const before =
      all.slice(0, index + 1).find(({ at }) => at >= reading.at - windowMs) ?? all[index] ?? reading
    return { reading, before }
  })
  const percentile = (kind: 'wait' | 'run', percent: number) =>
    points.map(({ reading, before }) => percentileBetween(before[kind], reading[kind], percent))
  return {
    times: points.map(({ reading }) => reading.at / 1000),
    wait: { p50: percentile('wait', 50), p95: percentile('wait', 95) },
    run: { p50: percentile('run', 50), p95: percentile('run', 95) },
  }
}
