import { describe, expect, test } from 'vitest'
import { newId } from '../../../../core/ids.ts'
import { cancelMatching } from '../../../../core/queue/cancel.ts'
import type { JobFilter } from '../../../../core/queue/filter.ts'
import { finish } from '../../../../core/queue/finish.ts'
import { listJobs } from '../../../../core/queue/list.ts'
import { before } from '../../../support/before.ts'
import { testDatabase } from '../../../support/database.ts'
import { failedWith, testQueue } from '../../../support/queue.ts'

const { sql } = await testDatabase()
const queue = await testQueue(sql, { key: 'one' }, { key: 'two' })

const ids: Record<string, string> = {}
ids.plain = await queue.enqueue()
ids.tagged = await queue.enqueue({ tags: ['red', 'big'], metadata: { customer: 7 } })
ids.other = await queue.enqueue({ definitionKey: 'two', queue: 'side' })
ids.later = await queue.enqueue({ delaySeconds: 3600, tags: ['red'] })
ids.failed = await queue.enqueue({ maxAttempts: 1, priority: 9, tags: ['red'] })
ids.running = await queue.enqueue({ priority: 8 })
const failing = await queue.claimOne('w-failed')
await finish(sql, [
  {
    lease: failing.lease,
    end: { ...failedWith('broke'), message: 'It broke 100% of_the time.', retry: false },
  },
])
await queue.claimOne('w-running')
const name = (jobId: string) => Object.entries(ids).find(([, id]) => id === jobId)?.[0] ?? jobId

async function found(filter: JobFilter): Promise<string[]> {
  const { jobs, total } = await listJobs(sql, filter, { limit: 100, offset: 0, total: true })
  expect(total, 'the number of all that match').toBe(jobs.length)
  return jobs.map(({ jobId }) => name(jobId))
}

describe('a filter finds', () => {
  const before = new Date(Date.now() - 60_000)
  const after = new Date(Date.now() + 60_000)
  test.each<[string, JobFilter, string[]]>([
    ['all, newest first', {}, ['running', 'failed', 'later', 'other', 'tagged', 'plain']],
    ['live and finished by a tag', { tags: ['red'] }, ['failed', 'later', 'tagged']],
    ['what has every tag', { tags: ['red', 'big'] }, ['tagged']],
    ['nothing by part of a tag', { tags: ['re'] }, []],
    ['by queue', { queue: 'side' }, ['other']],
    ['by definition', { definitionKey: 'two' }, ['other']],
    ['by worker, running', { workerId: 'w-running' }, ['running']],
    ['by worker, finished', { workerId: 'w-failed' }, ['failed']],
    ['by a piece of the error, whatever its case', { error: 'BROKE' }, ['failed']],
    ['no pattern in it', { error: '100%_of' }, []],
    ['by status and tag', { status: 'queued', tags: ['red'] }, ['later', 'tagged']],
    [
      'what was queued since',
      { queuedAfter: before },
      ['running', 'failed', 'later', 'other', 'tagged', 'plain'],
    ],
    ['nothing of the future', { queuedAfter: after }, []],
    ['what was queued until', { queuedBefore: after, status: 'failed' }, ['failed']],
    ['nothing of the past', { queuedBefore: before }, []],
    ['nothing under a quote', { queue: "'; drop table job_server.jobs; --" }, []],
  ])('%s', async (_what, filter, expected) => {
    expect(await found(filter)).toEqual(expected)
  })
})

test('a job that failed keeps its tags and metadata where it went', async () => {
  const letters =
    await sql`select tags, metadata from job_server.dead_letters where original_job_id = ${ids.failed ?? ''}`
  expect(letters).toMatchObject([{ tags: ['red'], metadata: {} }])
  const { jobs } = await listJobs(sql, { tags: ['big'] }, { limit: 1, offset: 0, total: false })
  expect(jobs[0]).toMatchObject({ metadata: { customer: 7 } })
})

test('pages behind one another show each job once, across live and finished, while new ones come', async () => {
  const seen: string[] = []
  let after: string | undefined
  for (;;) {
    const page = await listJobs(sql, {}, { limit: 2, offset: 0, after, total: false })
    expect(page.total).toBeNull()
    seen.push(...page.jobs.map(({ jobId }) => name(jobId)))
    if (page.nextAfter === null) break
    after = page.nextAfter
    if (seen.length === 2) ids.late = await queue.enqueue()
  }
  expect(seen).toEqual(['running', 'failed', 'later', 'other', 'tagged', 'plain'])
})

test('the last page says so even when it is full', async () => {
  const all = (await listJobs(sql, {}, { limit: 100, offset: 0, total: false })).jobs.length
  expect((await listJobs(sql, {}, { limit: all, offset: 0, total: false })).nextAfter).toBeNull()
  expect((await listJobs(sql, {}, { limit: all - 1, offset: 0, total: false })).nextAfter).not.toBeNull()
})

test('a page deep in a history of 20,000 jobs reads about as many rows as it shows', async () => {
  const first = newId()
  await sql`
    insert into job_server.job_history (
      id, definition_key, definition_version, queue, status, priority, attempts, max_attempts, crash_count,
      timeout_seconds, params, queued_at, finished_at
    )
    select
      overlay(${first}::text placing lpad(to_hex(n), 12, '0') from 25)::uuid, 'one', 1, 'deep', 'succeeded', 0, 1, 1,
      0, 1, '{}', now(), now()
    from generate_series(1, 20000) as n`
  await sql`analyze job_server.job_history`
  const behind = `${first.slice(0, 24)}${(100).toString(16).padStart(12, '0')}`
  const plan = await sql.begin(async (tx) => {
    const lines = await tx<Record<string, string>[]>`
      explain (analyze, costs off, timing off)
      select id from job_server.job_history where id < ${behind} order by id desc limit 50`
    return lines.map((line) => Object.values(line).join()).join('\n')
  })
  const rows = [...plan.matchAll(/rows=(\d+)/g)].map(([, count]) => Number(count))
  expect(Math.max(...rows), plan).toBeLessThanOrEqual(100)
  const page = await listJobs(sql, { queue: 'deep' }, { limit: 50, offset: 0, after: behind, total: false })
  expect(page.jobs).toHaveLength(50)
})

test('all that match are cancelled, at once or by their owners, and nothing else', async () => {
  const mine = [
    await queue.enqueue({ tags: ['doomed'] }),
    await queue.enqueue({ tags: ['doomed'], priority: 99 }),
  ]
  const running = await queue.claimOne('w-doomed')
  expect(running.lease.jobId).toBe(mine[1])
  const outcome = await cancelMatching(sql, { tags: ['doomed'] }, { limit: 10 })
  expect(outcome).toEqual({ cancelled: [mine[0]], cancelling: [mine[1]] })
  const again = await cancelMatching(sql, { tags: ['doomed'] }, { limit: 10 })
  expect(again, 'asked before').toEqual({ cancelled: [], cancelling: [] })
  expect(await found({ tags: ['red'], status: 'queued' })).toEqual(['later', 'tagged'])
})

test('one that is put back between the looks at those that wait and those that run is cancelled, too', async () => {
  const waiting = await queue.enqueue({ tags: ['handed'] })
  const handed = await queue.enqueue({ tags: ['handed'], priority: 99 })
  const { lease } = await queue.claimOne()
  expect(lease.jobId).toBe(handed)
  const putBack = () => finish(sql, [{ lease, end: { kind: 'interrupted' } }])
  const pool = before(sql, /with running as materialized/, putBack)
  const outcome = await cancelMatching(pool, { tags: ['handed'] }, { limit: 10 })
  expect(outcome).toEqual({ cancelled: [waiting, handed], cancelling: [] })
  expect(await found({ tags: ['handed'], status: 'cancelled' })).toHaveLength(2)
})
