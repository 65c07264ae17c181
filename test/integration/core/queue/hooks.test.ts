import { beforeEach, expect, test } from 'vitest'
import { newId } from '../../../../core/ids.ts'
import { claimHooks, giveBackHooks, giveUpHooks } from '../../../../core/queue/hooks.ts'
import { testDatabase } from '../../../support/database.ts'
import { observePlans, pagesOf, wholeTablesRead } from '../../../support/plans.ts'
import { testQueue } from '../../../support/queue.ts'

const { sql, url } = await testDatabase()
const { sql: observed, plansOf } = observePlans(sql, url)
await testQueue(sql, { key: 'loaded', hooks: ['onStart'] }, { key: 'gone', hooks: ['onStart'] })
const loaded = { key: 'loaded', version: 1 }
const leaseSeconds = 60

beforeEach(async () => {
  await sql`truncate job_server.hook_runs, job_server.workers`
})

async function due(
  key: string,
  { jobId = newId() as string, ageSeconds = 0, tries = 0 } = {},
): Promise<string> {
  await sql`
    insert into job_server.hook_runs (job_id, definition_key, definition_version, hook, payload, created_at, tries)
    values (${jobId}, ${key}, 1, 'onStart', '{}', now() - make_interval(secs => ${ageSeconds}), ${tries})`
  return jobId
}

async function failures(jobId: string): Promise<unknown[]> {
  const rows = await sql<{ error: string }[]>`
    select payload ->> 'error' as error from job_server.events where job_id = ${jobId} and event_type = 'hook_failed'`
  return rows.map(({ error }) => error)
}

test('the oldest of what a worker has the code of is taken, and those of one job take turns', async () => {
  await due('gone')
  const first = await due('loaded')
  await due('loaded', { jobId: first })
  const second = await due('loaded')
  const third = await due('loaded')
  const take = async (limit: number) =>
    (await claimHooks(sql, { definitions: [loaded], limit, leaseSeconds })).map(({ jobId }) => jobId).sort()
  expect(await take(2)).toEqual([first, second].sort())
  expect(await take(2)).toEqual([third])
  expect(await take(2)).toEqual([])
})

test('one that is given back can be taken at once, and no try is spent; not one that another took meanwhile', async () => {
  const jobId = await due('loaded')
  const take = () => claimHooks(sql, { definitions: [loaded], limit: 1, leaseSeconds })
  const first = await take()
  await giveBackHooks(sql, first)
  const second = await take()
  expect(second).toMatchObject([{ jobId, tries: 1 }])
  await sql`update job_server.hook_runs set lease_expires_at = now() - interval '1 second'`
  const third = await take()
  expect(third).toMatchObject([{ jobId, tries: 2 }])
  await giveBackHooks(sql, second)
  expect(await take()).toEqual([])
  await giveBackHooks(sql, third)
  expect(await take()).toMatchObject([{ jobId, tries: 2 }])
})

test('taking one does not read those that nobody here has the code of', async () => {
  await sql`
    insert into job_server.hook_runs (job_id, definition_key, definition_version, hook, payload)
    select gen_random_uuid(), 'gone', 1, 'onStart', '{}' from generate_series(1, 20000)`
  await due('loaded')
  await sql`analyze job_server.hook_runs`
  const claimOne = () => claimHooks(observed, { definitions: [loaded], limit: 2, leaseSeconds })
  const [plan] = await plansOf(claimOne, /job_server\.hook_runs/)
  if (plan === undefined) throw new Error('no plan')
  expect(wholeTablesRead(plan, /^hook_runs/)).toEqual([])
  expect(pagesOf(plan)).toBeLessThan(50)
})

test('a hook whose code no worker has had for a day is given up, and its job tells why', async () => {
  const info = { definitions: ['loaded@1'] }
  await sql`insert into job_server.workers (id, kind, slots, info) values ('w', 'worker', 1, ${sql.json(info)})`
  const old = await due('gone', { ageSeconds: 86_401 })
  const young = await due('gone', { ageSeconds: 86_000 })
  // It has to wait for others, but somebody will come to it.
  const waiting = await due('loaded', { ageSeconds: 100_000 })
  const worn = await due('loaded', { tries: 3 })
  expect(await giveUpHooks(sql)).toBe(2)
  expect(await failures(old)).toEqual(['No worker has its code.'])
  expect(await failures(worn)).toEqual(['The workers that ran it died.'])
  const left = await sql<{ jobId: string }[]>`select job_id from job_server.hook_runs order by id`
  expect(left.map(({ jobId }) => jobId)).toEqual([young, waiting])
})

test('so is one whose definition has no hooks any more', async () => {
  const info = { definitions: ['bare@1'] }
  await testQueue(sql, { key: 'bare' })
  await sql`insert into job_server.workers (id, kind, slots, info) values ('w', 'worker', 1, ${sql.json(info)})`
  const old = await due('bare', { ageSeconds: 86_401 })
  expect(await giveUpHooks(sql)).toBe(1)
  expect(await failures(old)).toEqual(['No worker has its code.'])
})

test.each([
  { what: 'no worker lives', workers: [] },
  { what: 'the only worker drains', workers: [[]] },
])('while $what, as in a restart, nothing is given up for want of code', async ({ workers }) => {
  for (const definitions of workers) {
    await sql`
      insert into job_server.workers (id, kind, slots, info) values ('w', 'worker', 1, ${sql.json({ definitions })})`
  }
  await due('loaded', { ageSeconds: 100_000 })
  const worn = await due('loaded', { tries: 3 })
  expect(await giveUpHooks(sql)).toBe(1)
  expect(await failures(worn)).toEqual(['The workers that ran it died.'])
})
