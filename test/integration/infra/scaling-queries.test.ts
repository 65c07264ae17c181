/** What KEDA asks of the database, asked of it. */
import { expect, test } from 'vitest'
import { testDatabase } from '../../support/database.ts'
import { kubernetesDirectory, manifestsOf } from '../../support/manifests.ts'
import { observePlans, pagesOf } from '../../support/plans.ts'
import { testQueue } from '../../support/queue.ts'

const { sql, url } = await testDatabase()
const observed = observePlans(sql, url)
const queue = await testQueue(sql)
const scaled = (await manifestsOf(kubernetesDirectory)).find(({ kind }) => kind === 'ScaledObject')

function queryOf(name: 'jobs' | 'oldest'): string {
  return scaled.spec.triggers.find((one: { name: string }) => one.name === name).metadata.query
}

/** The one number that a query gives, as KEDA reads it. */
async function ask(name: 'jobs' | 'oldest'): Promise<number> {
  const rows = await sql.unsafe(queryOf(name))
  expect(rows).toHaveLength(1)
  return Number(Object.values(rows[0] ?? {})[0])
}

test('an empty queue wants nobody', async () => {
  expect(await ask('jobs')).toBe(0)
  expect(await ask('oldest')).toBe(0)
})

test('what waits is told by its number and its age', async () => {
  await queue.enqueue()
  await queue.enqueue()
  await sql`update job_server.jobs set turn_at = now() - interval '200 seconds'`
  expect(await ask('jobs')).toBe(2)
  expect(await ask('oldest')).toBeGreaterThanOrEqual(200)
})

test('a backlog is looked at no further than it matters', async () => {
  const backlog = 30_000
  await sql`
    insert into job_server.jobs (
      id, definition_key, definition_version, queue, state, priority, max_attempts, timeout_seconds, params, turn_at
    )
    select
      gen_random_uuid(), definition_key, definition_version, queue, 'ready', 0, 3, 60, '{}', now() - interval '1 hour'
    from job_server.lanes, generate_series(1, ${backlog})
    where queue = 'default'`
  await sql`analyze job_server.jobs`
  expect(await ask('jobs')).toBeGreaterThanOrEqual(1000)
  expect(await ask('jobs')).toBeLessThan(backlog)
  expect(await ask('oldest')).toBeGreaterThanOrEqual(3600)
  const plans = await observed.plansOf(async () => {
    for (const name of ['jobs', 'oldest'] as const) await observed.sql.unsafe(queryOf(name))
  }, /demand/)
  expect(plans).toHaveLength(2)
  for (const plan of plans) expect(pagesOf(plan)).toBeLessThan(2500)
})
