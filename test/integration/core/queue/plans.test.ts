/**
 * What the hot statements read must not grow with what merely waits or has finished. The statements are those that the
 * verbs really send; what counts is the pages they touch, which is the same number on every machine.
 */
import { beforeAll, expect, test } from 'vitest'
import { admit, admitWaiting } from '../../../../core/queue/admit.ts'
import { finish, rescue } from '../../../../core/queue/finish.ts'
import { heartbeat } from '../../../../core/queue/heartbeat.ts'
import { stage } from '../../../../core/queue/stage.ts'
import { testDatabase } from '../../../support/database.ts'
import { observePlans, pagesOf, wholeTablesRead } from '../../../support/plans.ts'
import { testQueue } from '../../../support/queue.ts'

/** Of each kind: the index over so many has more pages than a claim, or a look at what is due, may read. */
const backlog = 20_000

const { sql, url } = await testDatabase()
const { sql: observed, plansOf } = observePlans(sql, url)
const tables = /^(jobs|job_history|events|attempts)/
const aboutJobs = /job_server\.jobs/
const queue = await testQueue(observed, {}, { key: 'limited', concurrencyLimit: 3 })

beforeAll(async () => {
  const fill = (state: string, options: { queue?: string; key?: string; definition?: string } = {}) =>
    sql.unsafe(`
      insert into job_server.jobs (
        id, definition_key, definition_version, queue, state, priority, max_attempts, timeout_seconds, params, scheduled_at,
        concurrency_key, concurrency_key_limit
      )
      select
        gen_random_uuid(), '${options.definition ?? 'test'}', 1, '${options.queue ?? 'default'}', '${state}', n % 5, 3, 60, '{}',
        now() + n * interval '1 minute', ${options.key ?? 'null'}, ${options.key === undefined ? 'null' : '1'}
      from generate_series(1, ${backlog}) as n`)
  await fill('ready')
  await fill('scheduled')
  await fill('ready', { queue: 'elsewhere' })
  await fill('ready', { definition: 'not.loaded' })
  await fill('blocked', { key: "'tenant-' || n % 50" })
  await sql`insert into job_server.lanes values ('elsewhere', 'test', 1), ('default', 'not.loaded', 1)`
  await sql.unsafe(`
    insert into job_server.job_history (
      id, definition_key, definition_version, queue, status, priority, attempts, max_attempts, crash_count, timeout_seconds,
      params, queued_at, finished_at
    )
    select gen_random_uuid(), 'test', 1, 'default', 'succeeded', 0, 1, 3, 0, 60, '{}', now(), now()
    from generate_series(1, ${backlog})`)
  await sql`vacuum analyze job_server.jobs`
  await sql`analyze job_server.job_history`
}, 120_000)

async function expectFrugal(run: () => Promise<unknown>, pages: number): Promise<void> {
  const plans = await plansOf(run, aboutJobs)
  expect(plans.length).toBeGreaterThan(0)
  for (const plan of plans) {
    expect(wholeTablesRead(plan, tables)).toEqual([])
    expect(pagesOf(plan)).toBeLessThan(pages)
  }
}

test('a claim of one reads the heads of its lanes', async () => {
  await expectFrugal(() => queue.claim({ queues: ['default'] }), 100)
})

test('a claim whose queues hold nothing of it reads next to nothing', async () => {
  await expectFrugal(() => queue.claim({ queues: ['empty'] }), 50)
})

test('a claim past a paused queue does not read it', async () => {
  await sql`insert into job_server.queues (name, paused_at) values ('default', now()), ('elsewhere', now())`
  expect(await queue.claim()).toEqual([])
  await expectFrugal(() => queue.claim(), 50)
  await sql`truncate job_server.queues`
})

test('staging with nothing due reads the next due job alone', async () => {
  await expectFrugal(() => stage(observed, { limit: 1000 }), 50)
})

test('rescue with nothing to rescue reads next to nothing', async () => {
  await expectFrugal(() => rescue(observed, { limit: 100 }), 50)
})

test('heartbeats and ends touch their own jobs', async () => {
  const [job] = await queue.claim({ queues: ['elsewhere'] })
  if (job === undefined) throw new Error('nothing was claimed')
  await expectFrugal(() => heartbeat(observed, [job.lease], { leaseSeconds: 60 }), 60)
  // The end itself is explained under a lease that is gone by then; it finds its row by the same way.
  await expectFrugal(
    () => finish(observed, [{ lease: job.lease, end: { kind: 'succeeded', result: null } }]),
    60,
  )
})

test('admission goes from key to key, not from job to job', async () => {
  await admitWaiting(observed, null)
  await expectFrugal(() => admitWaiting(observed, null), 1000)
  await expectFrugal(() => admit(observed, ['tenant-1']), 60)
})

test('a statement that does read whole tables would be found', async () => {
  const [plan] = await plansOf(
    () => observed`select count(*) from job_server.jobs where timeout_seconds > 1`,
    aboutJobs,
  )
  if (plan === undefined) throw new Error('no plan')
  expect(wholeTablesRead(plan, tables)).toEqual(['jobs by Seq Scan'])
})
