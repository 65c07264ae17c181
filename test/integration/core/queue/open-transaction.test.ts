/**
 * While some transaction stays open, entries of all that is over stay in the indexes. What the hot statements read must
 * not grow with them, and what becomes ready behind a cursor is found by the next look.
 */
import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type ClaimRequest, claim } from '../../../../core/queue/claim.ts'
import { enqueueMany } from '../../../../core/queue/enqueue.ts'
import { type End, finish, rescue } from '../../../../core/queue/finish.ts'
import { LaneCursors } from '../../../../core/queue/lane-cursors.ts'
import { lookAtLanes } from '../../../../core/queue/look-at-lanes.ts'
import { stage } from '../../../../core/queue/stage.ts'
import { testDatabase } from '../../../support/database.ts'
import { leaveDead, openTransaction } from '../../../support/open-transaction.ts'
import { observePlans, pagesOf } from '../../../support/plans.ts'
import { failedWith, testQueue } from '../../../support/queue.ts'

/** Of each kind. */
const dead = 10_000
/** A look past all the dead of a kind would be more. */
const few = 150

const { sql, url } = await testDatabase()
const { sql: observed, plansOf } = observePlans(sql, url)
const queue = await testQueue(sql, {}, { key: 'limited', concurrencyLimit: 3 })
const served = { definitions: queue.definitions, queues: [] }
const base = { ...served, workerId: 'w1', limit: 4, leaseSeconds: 60 }
const transaction = await openTransaction(sql)
afterAll(() => transaction.close())

let cursors: LaneCursors

beforeAll(async () => {
  await leaveDead(sql, dead)
  await leaveDead(sql, dead, { definition: 'limited' })
  await leaveDead(sql, dead, { state: 'scheduled' })
  await leaveDead(sql, dead, { state: 'running' })
  // Statistics are those that a test says.
  await sql`alter table job_server.jobs set (autovacuum_enabled = false)`
}, 120_000)

beforeEach(async () => {
  await sql`delete from job_server.jobs`
  cursors = new LaneCursors()
})

async function pagesReadBy(run: () => Promise<unknown>): Promise<number> {
  const plans = await plansOf(run, /job_server\.jobs/)
  return Math.max(...plans.map(pagesOf))
}

async function idsClaimed(request: Partial<ClaimRequest> = {}): Promise<string[]> {
  const jobs = await claim(sql, { ...base, cursors, ...request }, { limited: false })
  return jobs.map(({ lease }) => lease.jobId)
}

/** Of a batch that was enqueued so long ago that cursors may pass it. */
async function enqueueOld(count: number, priority = 0): Promise<string[]> {
  const inputs = Array.from({ length: count }, () => ({ definitionKey: 'test', priority }))
  const ids = (await enqueueMany(sql, inputs)).map(({ job }) => job.id)
  await sql`update job_server.jobs set turn_at = turn_at - interval '1 minute' where id = any(${ids}::uuid[])`
  return ids
}

async function end(jobId: string, how: End): Promise<void> {
  const [job] = await sql<{ epoch: string }[]>`
    select lease_epoch as epoch from job_server.jobs where id = ${jobId}`
  await finish(sql, [{ lease: { jobId, epoch: job?.epoch ?? '' }, end: how }])
}

test('a claim from the heads of lanes reads past all that was claimed before', async () => {
  await enqueueOld(20)
  const { cursors: _none, ...fromHeads } = { ...base, cursors }
  expect(await pagesReadBy(() => claim(observed, fromHeads, { limited: false }))).toBeGreaterThan(few)
})

/** By both, another index may look as good as the right one: as if nothing ran or were delayed, or no job were there at all. */
describe.each([{ ready: 100 }, { ready: 0 }])('by statistics of a moment with $ready jobs', ({ ready }) => {
  beforeAll(async () => {
    await enqueueOld(100)
    await sql`analyze job_server.jobs`
    if (ready > 0) return
    // An empty table leaves what was known of its values as it was.
    await sql`delete from job_server.jobs`
    await sql`analyze job_server.jobs`
  })

  // As among very many, lanes are read three times.
  test.each([
    { options: { limited: false }, most: few },
    { options: { limited: true }, most: few },
    { options: { limited: true, lanes: 1000 }, most: 3 * few },
  ])('one from cursors does not: $options', async ({ options, most }) => {
    await enqueueOld(20)
    await enqueueMany(sql, [{ definitionKey: 'limited' }])
    await lookAtLanes(sql, served, cursors)
    const ready = { ...base, cursors }
    expect(await pagesReadBy(() => claim(observed, ready, options))).toBeLessThan(most)
    expect(await pagesReadBy(() => claim(observed, ready, options))).toBeLessThan(most)
  })

  test('nor does one where nothing is left', async () => {
    await lookAtLanes(sql, served, cursors)
    const nothing = { ...base, cursors }
    expect(await pagesReadBy(() => claim(observed, nothing, { limited: true }))).toBeLessThan(few)
  })

  test('a claim goes on where the last one came to, without a look', async () => {
    const ids = await enqueueOld(12)
    expect(await idsClaimed()).toEqual(ids.slice(0, 4))
    const second = { ...base, cursors }
    expect(await pagesReadBy(() => claim(observed, second, { limited: false }))).toBeLessThan(few)
    expect(await idsClaimed()).toEqual(ids.slice(8))
  })

  test('staging and rescue that know how far they came read what became due since', async () => {
    expect(await pagesReadBy(() => stage(observed, { limit: 100 }))).toBeGreaterThan(few)
    await lookAtLanes(sql, served, cursors)
    expect(await pagesReadBy(() => stage(observed, { limit: 100, withinSeconds: 5, cursors }))).toBeLessThan(
      few,
    )
    expect(await pagesReadBy(() => rescue(observed, { limit: 100 }))).toBeGreaterThan(few)
    expect(await pagesReadBy(() => rescue(observed, { limit: 100, withinSeconds: 5 }))).toBeLessThan(few)
  })
})

test('a job of higher priority that comes later is claimed first', async () => {
  const ids = await enqueueOld(8)
  await lookAtLanes(sql, served, cursors)
  expect(await idsClaimed()).toEqual(ids.slice(0, 4))
  const first = await queue.enqueue({ priority: 7 })
  const second = await queue.enqueue({ priority: 3 })
  const last = await queue.enqueue({ priority: -3 })
  expect(await idsClaimed()).toEqual([first, second, ...ids.slice(4, 6)])
  const again = await queue.enqueue({ priority: 3 })
  expect(await idsClaimed()).toEqual([again, ...ids.slice(6), last])
})

test('what is given back behind a cursor is claimed after a look, in its place', async () => {
  const ids = await enqueueOld(12)
  await lookAtLanes(sql, served, cursors)
  const [first = '', ...others] = await idsClaimed()
  await idsClaimed()
  await end(first, { kind: 'interrupted' })
  expect(await lookAtLanes(sql, served, cursors)).toMatchObject({ stragglers: 1 })
  expect(await idsClaimed({ limit: 2 })).toEqual([first, ids[8]])
  await end(others[0] ?? '', failedWith('x'))
  await queue.enqueue({ priority: 1 })
  expect(await lookAtLanes(sql, served, cursors)).toMatchObject({ stragglers: 1 })
  expect(await idsClaimed({ limit: 2 })).toContain(others[0])
})

test('where very many come back at once, they are worked off from the first on', async () => {
  const ids = await enqueueOld(130)
  await lookAtLanes(sql, served, cursors)
  for (const jobId of await idsClaimed({ limit: 120 })) await end(jobId, { kind: 'interrupted' })
  await lookAtLanes(sql, served, cursors)
  expect(await idsClaimed({ limit: 130 })).toEqual(ids)
})

test('what another worker has locked, and lets go again, is found by the next look', async () => {
  const ids = await enqueueOld(8)
  await sql
    .begin(async (tx) => {
      await tx`select from job_server.jobs where id = ${ids[0] ?? ''} for update`
      expect(await idsClaimed()).toEqual(ids.slice(1, 5))
      throw new Error('undo')
    })
    .catch(() => {})
  expect(await idsClaimed({ limit: 1 })).toEqual([ids[5]])
  await lookAtLanes(sql, served, cursors)
  expect(await idsClaimed({ limit: 1 })).toEqual([ids[0]])
})

test('a paused queue gives nothing, and all when it goes on', async () => {
  const ids = await enqueueOld(3)
  await lookAtLanes(sql, served, cursors)
  await sql`insert into job_server.queues (name, paused_at) values ('default', now())`
  expect(await idsClaimed()).toEqual([])
  await lookAtLanes(sql, served, cursors)
  await sql`truncate job_server.queues`
  expect(await idsClaimed()).toEqual(ids)
})

test('whatever several workers do, each gets after a look what a claim from the heads would have got', async () => {
  const action = fc.oneof(
    fc.record({
      kind: fc.constant('enqueue' as const),
      priority: fc.integer({ min: -1, max: 2 }),
      old: fc.boolean(),
    }),
    fc.record({
      kind: fc.constant('claim' as const),
      worker: fc.nat({ max: 1 }),
      limit: fc.integer({ min: 1, max: 3 }),
    }),
    fc.record({ kind: fc.constant('give back' as const), which: fc.nat() }),
    fc.record({ kind: fc.constant('look' as const), worker: fc.nat({ max: 1 }) }),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(action, { minLength: 10, maxLength: 40 }), async (actions) => {
      await sql`delete from job_server.jobs`
      const workers = [new LaneCursors(), new LaneCursors()]
      const running: string[] = []
      for (const act of actions) {
        if (act.kind === 'enqueue' && act.old) await enqueueOld(1, act.priority)
        else if (act.kind === 'enqueue') await queue.enqueue({ priority: act.priority })
        else if (act.kind === 'claim') {
          running.push(...(await idsClaimed({ cursors: workers[act.worker], limit: act.limit })))
        } else if (act.kind === 'give back') {
          const [jobId] = running.splice(act.which % Math.max(running.length, 1), 1)
          if (jobId !== undefined) await end(jobId, { kind: 'interrupted' })
        } else {
          const mine = workers[act.worker] ?? cursors
          await lookAtLanes(sql, served, mine)
          const heads = await sql<{ id: string }[]>`
            select id from job_server.jobs where state = 'ready' order by priority desc, turn_at, id limit 2`
          const claimed = await idsClaimed({ cursors: mine, limit: 2 })
          expect(claimed).toEqual(heads.map(({ id }) => id))
          running.push(...claimed)
        }
      }
    }),
    { numRuns: 25 },
  )
}, 60_000)
