/** Lists that look at so many jobs and no more: what is rare among many is found page by page, each at the same cost. */
import { beforeAll, expect, test } from 'vitest'
import { newId } from '../../../../core/ids.ts'
import type { JobFilter } from '../../../../core/queue/filter.ts'
import { listJobs } from '../../../../core/queue/list.ts'
import { testDatabase } from '../../../support/database.ts'
import { observePlans, pagesOf } from '../../../support/plans.ts'
import { testQueue } from '../../../support/queue.ts'

const finishedCount = 30_000
const lookAt = 1000

const { sql, url } = await testDatabase()
const { sql: observed, plansOf } = observePlans(sql, url)
const queue = await testQueue(sql, { key: 'one' })
let rareId = ''

beforeAll(async () => {
  const first = newId()
  const idOf = (n: number) => `${first.slice(0, 24)}${n.toString(16).padStart(12, '0')}`
  await sql`
    insert into job_server.job_history (
      id, definition_key, definition_version, queue, status, priority, attempts, max_attempts, crash_count,
      timeout_seconds, params, queued_at, finished_at, worker_id
    )
    select
      overlay(${first}::text placing lpad(to_hex(n), 12, '0') from 25)::uuid, 'one', 1, 'default',
      case when n % 100 = 0 then 'failed' else 'succeeded' end, 0, 1, 1, 0, 1, '{}', now(), now(), 'w1'
    from generate_series(1, ${finishedCount}::int) as n`
  rareId = idOf(700)
  await sql`update job_server.job_history set queue = 'rare', error_summary = 'A needle.' where id = ${rareId}`
  for (let count = 0; count < 3; count++) await queue.enqueue()
  await sql`vacuum analyze job_server.job_history`
})

async function allPages(filter: JobFilter): Promise<{ found: string[]; pages: number }> {
  const found: string[] = []
  let after: string | undefined
  for (let pages = 1; ; pages++) {
    const page = await listJobs(sql, filter, { limit: 100, offset: 0, after, total: false, lookAt })
    found.push(...page.jobs.map(({ jobId }) => jobId))
    if (page.nextAfter === null) return { found, pages }
    after = page.nextAfter
  }
}

test.each<[string, JobFilter, number]>([
  ['queue', { queue: 'rare' }, 31],
  ['error', { error: 'needle' }, 31],
  ['worker and queue', { workerId: 'w1', queue: 'rare' }, 31],
  // There are 300 of them: they are looked at alone.
  ['queue and status', { queue: 'rare', status: 'failed' }, 1],
  ['queue, definition and status', { queue: 'rare', definitionKey: 'one', status: 'failed' }, 30],
])('what is rare by %s is found once, in pages that look at 1,000 jobs each', async (_by, filter, pages) => {
  expect(await allPages(filter)).toEqual({ found: [rareId], pages })
})

test('pages that are full go on behind their last job, and together hold each job once', async () => {
  const { found } = await allPages({})
  expect(found).toHaveLength(finishedCount + 3)
  expect(new Set(found).size).toBe(found.length)
})

test('a total says when it is not whole', async () => {
  const count = async (filter: JobFilter, among: number) => {
    const page = await listJobs(sql, filter, { limit: 1, offset: 0, total: true, lookAt: among })
    return [page.total, page.isTotalWhole]
  }
  expect(await count({}, 50_000)).toEqual([finishedCount + 3, true])
  expect(await count({}, 1000)).toEqual([1000, false])
  expect(await count({}, finishedCount + 3)).toEqual([finishedCount + 3, true])
  expect(await count({ status: 'failed' }, 1000)).toEqual([300, true])
  expect(await count({ queue: 'rare' }, 1000)).toEqual([0, false])
})

test('a search that finds nothing reads about as much as it looks at; without a bound, everything', async () => {
  const readBy = async (page: { lookAt?: number }) => {
    const search = () =>
      listJobs(observed, { queue: 'none' }, { limit: 100, offset: 0, total: false, ...page })
    const plans = await plansOf(search, /job_history/)
    return plans.reduce((sum, plan) => sum + pagesOf(plan), 0)
  }
  expect(await readBy({ lookAt })).toBeLessThan(200)
  expect(await readBy({})).toBeGreaterThan(400)
})
