import fc from 'fast-check'
import postgres from 'postgres'
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { ourManners } from '../../../../core/db.ts'
import { type ClaimRequest, claim } from '../../../../core/queue/claim.ts'
import { enqueueMany } from '../../../../core/queue/enqueue.ts'
import { LaneCursors } from '../../../../core/queue/lane-cursors.ts'
import { lookAtLanes } from '../../../../core/queue/look-at-lanes.ts'
import { testDatabase } from '../../../support/database.ts'
import { testQueue } from '../../../support/queue.ts'

const { sql, url } = await testDatabase()
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

async function claimedIn(
  request: Partial<ClaimRequest>,
  { lanes = 0 } = {},
): Promise<Record<string, number>> {
  const base = { workerId: 'w1', definitions, queues: [], limit: 20, leaseSeconds: 60 }
  const jobs = await claim(sql, { ...base, ...request }, { limited: false, lanes })
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

describe('where there are very many lanes', () => {
  const crowded = { limited: false, lanes: 1000 }
  const request = { workerId: 'w1', definitions, queues: [], limit: 4, leaseSeconds: 60 }
  const idsClaimed = async (options: Partial<ClaimRequest> = {}) =>
    (await claim(sql, { ...request, ...options }, crowded)).map(({ lease }) => lease.jobId)

  /** Holds the first jobs in line while `run` goes on. */
  async function whileHeld(jobs: number, run: () => Promise<void>): Promise<void> {
    await sql.begin(async (tx) => {
      await tx`
        select from job_server.jobs where state = 'ready' order by priority desc, turn_at, id limit ${jobs} for update`
      await run()
    })
  }

  const inLine = async () => {
    const rows = await sql<{ id: string }[]>`
      select id from job_server.jobs where state = 'ready' order by priority desc, turn_at, id`
    return rows.map(({ id }) => id)
  }

  /** Together with some more, so many in line that it is read no further. */
  const more = Array.from({ length: 250 }, (_, place) => `more-${place}`)

  test('nothing is locked but what is claimed', async () => {
    await enqueueEach(3, more)
    await enqueueEach(30, queues, 1)
    expect(await claimedIn({ limit: 4 }, crowded)).toEqual({ 'queue-9': 4 })
    const mostlyFrom = { lanes: [lane('queue-5')], priority: 0 }
    expect(await claimedIn({ limit: 6, mostlyFrom }, crowded)).toEqual({
      ...Object.fromEntries(['queue-9', 'queue-8', 'queue-7', 'queue-6'].map((queue) => [queue, 1])),
      'queue-5': 2,
    })
    expect(await lockedInVain()).toBe(0)
  })

  test('what others hold is passed over: of lanes with one job each the next in line are claimed', async () => {
    await enqueueEach(1, more)
    const ids = await inLine()
    await whileHeld(5, async () => {
      expect(await idsClaimed()).toEqual(ids.slice(5, 9))
    })
    expect(await idsClaimed()).toEqual(ids.slice(0, 4))
  })

  test.each([
    ['alone', []],
    ['among many', more],
  ])('of a lane with many of them, %s, those behind', async (_, others) => {
    await enqueueEach(1, others)
    await enqueueEach(30, ['queue-3'], 9)
    await enqueueEach(30, ['queue-3'], 0)
    await enqueueEach(5, ['queue-1'], 5)
    const ids = await inLine()
    await whileHeld(20, async () => {
      expect(await idsClaimed({ limit: 8 })).toEqual(ids.slice(20, 28))
    })
    // None of a lower priority, where another lane has more.
    await whileHeld(20, async () => {
      expect(await idsClaimed({ limit: 8 })).toEqual(ids.slice(28, 36))
    })
  })

  test('all that many claim at once is claimed, and once', async () => {
    await enqueueEach(1, more)
    const claims = Array.from({ length: 20 }, (_, n) => idsClaimed({ workerId: `w${n}` }))
    expect(new Set((await Promise.all(claims)).flat()).size).toBe(20 * 4)
  })

  test.each([{ limited: false }, { limited: true }])(
    'what is known of them is put together once a claim, and sent once a statement: %o',
    async ({ limited }) => {
      await enqueueEach(1, more)
      const ids = await inLine()
      const cursors = new LaneCursors()
      await lookAtLanes(sql, request, cursors)
      const ranges = vi.spyOn(cursors, 'ranges', 'get')
      const sent: unknown[][] = []
      const observed = postgres(url, {
        ...ourManners,
        max: 1,
        debug: (_connection, _text, parameters) => sent.push(parameters),
      })
      onTestFinished(() => observed.end({ timeout: 5 }))
      const jobs = await claim(observed, { ...request, cursors }, { limited, lanes: more.length })
      expect(jobs.map(({ lease }) => lease.jobId)).toEqual(ids.slice(0, 4))
      expect(ranges).toHaveBeenCalledTimes(1)
      const copies = sent.map((parameters) => parameters.filter((value) => `${value}`.includes('"more-7":')))
      expect(copies.map(({ length }) => length).filter((length) => length > 0)).toEqual(
        limited ? [1, 1] : [1],
      )
    },
  )

  test('a claim gets what one of few lanes would get', async () => {
    const limitedQueue = await testQueue(
      sql,
      {},
      { key: 'limited', concurrencyLimit: 3 },
      { key: 'rated', rateLimit: { count: 2, seconds: 60 } },
    )
    const cursors = fc.boolean().map((known) => (known ? new LaneCursors() : undefined))
    const job = fc.record({
      definitionKey: fc.constantFrom('test', 'test', 'limited', 'rated'),
      queue: fc.constantFrom(...queues.slice(0, 4), ...more),
      priority: fc.integer({ min: 0, max: 2 }),
    })
    const shares = fc.option(
      fc.record({
        lanes: fc.subarray(queues.slice(0, 4).map(lane)),
        priority: fc.integer({ min: 0, max: 2 }),
      }),
      { nil: undefined },
    )
    const jobs = fc.oneof(
      fc.array(job, { minLength: 1, maxLength: 30 }),
      fc.array(job, { minLength: 200, maxLength: 300 }),
    )
    await fc.assert(
      fc.asyncProperty(jobs, shares, cursors, fc.integer({ min: 1, max: 6 }), async (inputs, ...rest) => {
        const [mostlyFrom, known, limit] = rest
        await sql`truncate job_server.jobs, job_server.rate_starts`
        await enqueueMany(sql, inputs)
        const claimedBy = async (lanes: number) => {
          const wanted = { ...request, definitions: limitedQueue.definitions, limit, cursors: known }
          const got = await claim(
            sql,
            { ...wanted, ...(mostlyFrom === undefined ? {} : { mostlyFrom }) },
            { limited: true, lanes },
          )
          await sql`truncate job_server.rate_starts`
          await sql`
            update job_server.jobs set
              state = 'ready', worker_id = null, lease_epoch = null, lease_expires_at = null, started_at = null
            where state = 'running'`
          return got.map(({ lease }) => lease.jobId)
        }
        expect(await claimedBy(1000)).toEqual(await claimedBy(0))
      }),
      { numRuns: 40 },
    )
  }, 120_000)
})
