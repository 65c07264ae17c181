import { beforeEach, expect, test } from 'vitest'
import { readLatency } from '../../../../core/metrics/latency.ts'
import { testDatabase } from '../../../support/database.ts'

const { sql } = await testDatabase()

beforeEach(async () => {
  await sql`truncate job_server.job_history`
})

/** So many jobs, a millisecond apart, that waited for `n` milliseconds and ran for twice as long, for n from 1. */
async function remember(
  count: number,
  { minutesAgo, attempts = 1 }: { minutesAgo: number; attempts?: number },
) {
  await sql`
    insert into job_server.job_history (
      id, definition_key, definition_version, queue, status, priority, attempts, max_attempts, crash_count,
      timeout_seconds, params, queued_at, started_at, finished_at, tags
    )
    select
      job_server.uuid_v7_floor(at), 'echo', 1, 'default', 'succeeded', 0, ${attempts}, 3, 0, 60, '{}', at,
      at + make_interval(secs => n / 1000.0), at + make_interval(secs => 3 * n / 1000.0), '{}'
    from generate_series(1, ${count}::int) as n,
      lateral (
        select date_trunc('minute', now()) - make_interval(mins => ${minutesAgo}::int, secs => -n / 1000.0) as at
      ) as times`
}

test('each minute has the median and the 95th percentile of its jobs, or nothing', async () => {
  await remember(101, { minutesAgo: 2 })
  await remember(50, { minutesAgo: 3, attempts: 2 })
  const latency = await readLatency(sql, { minutes: 6 })
  expect(latency).toHaveLength(6)
  const [known, ...others] = latency.filter(({ wait, run }) => wait !== null || run !== null)
  expect(others).toEqual([])
  expect(known?.wait?.p50).toBeCloseTo(0.051)
  expect(known?.wait?.p95).toBeCloseTo(0.096)
  expect(known?.run?.p50).toBeCloseTo(0.102)
})

test('of a minute with many jobs no more than the last thousand are read', async () => {
  await remember(3000, { minutesAgo: 1 })
  const [busy] = (await readLatency(sql, { minutes: 3 })).filter(({ wait }) => wait !== null)
  expect(busy?.wait?.p50).toBeCloseTo(2.5005, 3)
})
