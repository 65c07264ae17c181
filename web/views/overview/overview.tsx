/** How everything is, at a glance. */
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useMemo } from 'react'
import { api, read } from '../../api.ts'
import { useLiveQuery } from '../../live/live.ts'
import { deadLetterGroupsQuery, metricsQuery, queuesQuery, workersQuery } from '../../queries.ts'
import { Card, Loaded, Page } from '../../ui/basics.tsx'
import { Chart } from '../../ui/chart.tsx'
import type { ChartData, Line } from '../../ui/chart-data.ts'
import { count, duration } from '../../ui/format.ts'
import { latencySpanSeconds, useLatency } from './latency.ts'
import { Failing, QueueDepths, WorkerSlots } from './panels.tsx'
import { Tiles } from './tiles.tsx'

const shownMinutes = 60

const throughputLines: Line[] = [
  { label: 'Failed', colour: 'failed', look: 'bars', above: 'Succeeded' },
  { label: 'Succeeded', colour: 'succeeded', look: 'bars' },
]
const latencyLines: Line[] = [
  { label: 'Half below', colour: 'running' },
  { label: '95 % below', colour: 'running', look: 'dashed' },
]

const failedKey = ['dead-letters', 'newest']
const minutesKey = ['minutes']

export function Overview() {
  const metrics = useQuery(metricsQuery)
  const queues = useQuery(queuesQuery)
  const workers = useQuery(workersQuery)
  const letters = useQuery(deadLetterGroupsQuery)
  const minutes = useQuery({
    queryKey: minutesKey,
    queryFn: () => read(api.v1.metrics.minutes.$get({ query: { minutes: String(shownMinutes) } })),
    refetchInterval: 5000,
  })
  // By when they failed: a list of jobs is in the order in which they were queued.
  const failed = useQuery({
    queryKey: failedKey,
    queryFn: () => read(api.v1.dlq.$get({ query: { redriven: 'false', limit: '6', total: 'false' } })),
  })
  useLiveQuery(metricsQuery.queryKey)
  useLiveQuery(queuesQuery.queryKey)
  useLiveQuery(workersQuery.queryKey)
  useLiveQuery(deadLetterGroupsQuery.queryKey, 2000)
  useLiveQuery(failedKey, 2000)
  useLiveQuery(minutesKey, 2000)
  const latency = useLatency()

  const throughput = useMemo((): ChartData => {
    const points = minutes.data?.data ?? []
    return [
      points.map(({ period }) => Date.parse(period) / 1000 + 30),
      points.map(({ failed: lost }) => lost),
      points.map(({ succeeded }) => succeeded),
    ]
  }, [minutes.data])
  const lastHour = minutes.data?.data.reduce(
    (sums, { succeeded, failed: lost }) => ({
      succeeded: sums.succeeded + succeeded,
      failed: sums.failed + lost,
    }),
    { succeeded: 0, failed: 0 },
  )
  const wait = useMemo((): ChartData => {
    return [latency.times, latency.wait.p50, latency.wait.p95]
  }, [latency])
  const run = useMemo((): ChartData => {
    return [latency.times, latency.run.p50, latency.run.p95]
  }, [latency])

  return (
    <Page title="Overview">
      <Loaded query={metrics} rows={2}>
        {({ summary }) => (
          <Tiles
            byStatus={summary.byStatus}
            depth={queues.data?.all}
            workers={workers.data}
            lastHour={lastHour}
            deadLetters={letters.data?.reduce((sum, group) => sum + group.count, 0)}
          />
        )}
      </Loaded>
      <div className="grid grid-charts">
        <Card title="Throughput" aside={<span className="aside">jobs a minute, last hour</span>}>
          <Chart
            label={`Jobs a minute over the last hour: ${count(lastHour?.succeeded ?? 0)} succeeded, ${count(lastHour?.failed ?? 0)} failed.`}
            data={throughput}
            lines={throughputLines}
            format={wholeCount}
            spanSeconds={shownMinutes * 60}
          />
        </Card>
        <Card title="Time until started" aside={<span className="aside">last 10 minutes</span>}>
          <Chart
            label="Time until jobs were started, over the last 10 minutes."
            data={wait}
            lines={latencyLines}
            format={duration}
            spanSeconds={latencySpanSeconds}
          />
        </Card>
        <Card title="Run time" aside={<span className="aside">last 10 minutes</span>}>
          <Chart
            label="Run time of attempts, over the last 10 minutes."
            data={run}
            lines={latencyLines}
            format={duration}
            spanSeconds={latencySpanSeconds}
          />
        </Card>
      </div>
      <div className="grid grid-panels">
        <Card title="Queues" aside={<Link to="/queues">All queues</Link>}>
          <Loaded query={queues} rows={3}>
            {(page) => <QueueDepths queues={page.queues} />}
          </Loaded>
        </Card>
        <Card title="Workers" aside={<Link to="/workers">All workers</Link>}>
          <Loaded query={workers} rows={3}>
            {(all) => <WorkerSlots workers={all} />}
          </Loaded>
        </Card>
        <Card title="Failed lately" aside={<Link to="/dead-letters">All dead letters</Link>}>
          <Loaded query={failed} rows={3}>
            {({ jobs }) => <Failing letters={jobs} />}
          </Loaded>
        </Card>
      </div>
    </Page>
  )
}

/** Between whole numbers of jobs there is nothing to name. */
function wholeCount(value: number): string {
  return Number.isInteger(value) ? count(value) : ''
}
