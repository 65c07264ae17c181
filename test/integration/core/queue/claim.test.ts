import { beforeEach, expect, test } from 'vitest'
import { type ClaimRequest, claim } from '../../../../core/queue/claim.ts'
import { enqueueMany } from '../../../../core/queue/enqueue.ts'
import { testDatabase } from '../../../support/database.ts'
import { testQueue } from '../../../support/queue.ts'

const { sql } = await testDatabase()
const { definitions } = await testQueue(sql)
const queues = Array.from({ length: 10 }, (_, place) => `queue-${place}`)
const lane = (queue: string) => ({ queue, definitionKey: 'test', definitionVersion: 1 })

beforeEach(async () => {
  await sql`truncate job_server.jobs cascade`
})

/** So many in each queue; those of the last are the oldest. */
async function enqueueEach(count: number, names = queues, priority = 0): Promise<void> {
  for (const queue of names.toReversed()) {
    await enqueueMany(
      sql,
      Array.from({ length: count }, () => ({ definitionKey: 'test', queue, priority })),
    )
  }
}

async function claimedIn(request: Partial<ClaimRequest>): Promise<Record<string, number>> {
  const base = { workerId: 'w1', definitions, queues: [], limit: 20, leaseSeconds: 60 }
  const jobs = await claim(sql, { ...base, ...request }, { limited: false })
  return Object.fromEntries(
    queues
      .map((queue) => [queue, jobs.filter((job) => job.queue === queue).length] as const)
      .filter(([, count]) => count > 0),
  )
}

/** Rows that were locked and let go again: their xmax tells of it. */
async function lockedInVain(): Promise<number> {
  const [row] = await sql<{ count: number }[]>`
    select count(*)::int from job_server.jobs where state = 'ready' and xmax::text <> '0'`
  return row?.count ?? -1
}

test('jobs of many queues are claimed oldest first, whatever queue they stand in', async () => {
  await enqueueEach(15)
  expect(await claimedIn({})).toEqual({ 'queue-9': 15, 'queue-8': 5 })
})

test('a claim that is mostly for one queue reads little of the others', async () => {
  await enqueueEach(30)
  expect(await claimedIn({ mostlyFrom: { lanes: [lane('queue-9')], priority: 0 } })).toEqual({
    'queue-9': 20,
  })
  // Of the nine others a tenth of the limit each.
  expect(await lockedInVain()).toBeLessThanOrEqual(9 * 2)
})

test('one that is for none in particular reads as much of each as it may take', async () => {
  await enqueueEach(30)
  await claimedIn({})
  expect(await lockedInVain()).toBeGreaterThan(9 * 2)
})

test('of the others it reads nothing of a lower priority, and of its own queue all', async () => {
  await enqueueEach(30, queues.slice(0, 9), 4)
  await enqueueEach(5, ['queue-9'], 5)
  await enqueueEach(5, ['queue-9'], 4)
  expect(await claimedIn({ mostlyFrom: { lanes: [lane('queue-9')], priority: 5 } })).toEqual({
    'queue-9': 10,
  })
  expect(await lockedInVain()).toBe(0)
})

test('where that one has too few, the others give their share, oldest first', async () => {
  await enqueueEach(3, ['queue-9'])
  await enqueueEach(30, queues.slice(0, 9))
  expect(await claimedIn({ mostlyFrom: { lanes: [lane('queue-9')], priority: 0 } })).toEqual({
    ...Object.fromEntries(queues.slice(1, 9).map((queue) => [queue, 2])),
    'queue-0': 1,
    'queue-9': 3,
  })
})
