import { afterEach, describe, expect, onTestFinished, test } from 'vitest'
import { isInUse, openPool } from '../../../../core/db.ts'
import { registerDefinitions } from '../../../../core/definitions/register.ts'
import {
  DefinitionNotFound,
  DependencyFailed,
  IdempotencyConflict,
  InvalidParams,
  InvalidWebhook,
} from '../../../../core/errors.ts'
import { newId } from '../../../../core/ids.ts'
import type { JsonObject } from '../../../../core/json.ts'
import { type EnqueueInput, enqueue, enqueueMany } from '../../../../core/queue/enqueue.ts'
import { finish } from '../../../../core/queue/finish.ts'
import { readJob } from '../../../../core/queue/read.ts'
import { sweep } from '../../../../core/queue/release.ts'
import { stage } from '../../../../core/queue/stage.ts'
import { flushHints } from '../../../../core/queue/wake.ts'
import { enqueueAddition } from '../../../../core/videos/additions.ts'
import { before } from '../../../support/before.ts'
import { testDatabase, waitsForLock } from '../../../support/database.ts'
import { openLine } from '../../../support/line.ts'
import { failedWith, testQueue } from '../../../support/queue.ts'

const { sql, url } = await testDatabase()
const line = await openLine(url)
const queue = await testQueue(sql, {
  paramsSchema: { type: 'object', properties: { n: { type: 'number' } }, additionalProperties: {} },
})

afterEach(async () => {
  await sql`truncate job_server.jobs, job_server.idempotency_keys`
})

const count = async () => {
  const [row] = await sql<{ count: number }[]>`select count(*)::int from job_server.jobs`
  return row?.count
}

describe('idempotency', () => {
  test('100 equal requests at once make one job, and all get its id', async () => {
    const answers = await Promise.all(
      Array.from({ length: 100 }, () =>
        enqueue(sql, { definitionKey: 'test', params: { n: 1 }, idempotencyKey: 'k' }),
      ),
    )
    expect(new Set(answers.map(({ job }) => job.id)).size).toBe(1)
    expect(answers.filter(({ created }) => created)).toHaveLength(1)
    expect(await count()).toBe(1)
  })

  test('the same key with other parameters is a conflict that names the first job; the order of keys is not', async () => {
    const first = await enqueue(sql, { definitionKey: 'test', params: { n: 1, m: 2 }, idempotencyKey: 'k' })
    const again = await enqueue(sql, { definitionKey: 'test', params: { m: 2, n: 1 }, idempotencyKey: 'k' })
    expect(again).toEqual({ ...first, created: false })
    const other = enqueue(sql, { definitionKey: 'test', params: { n: 2 }, idempotencyKey: 'k' })
    await expect(other).rejects.toThrow(IdempotencyConflict)
    await expect(other).rejects.toThrow(first.job.id)
  })

  test('a key meets its job after that has finished, and nothing once its time is over', async () => {
    const { job } = await enqueue(sql, { definitionKey: 'test', idempotencyKey: 'k' })
    const { lease } = await queue.claimOne()
    await finish(sql, [{ lease, end: { kind: 'succeeded', result: null } }])
    const again = await enqueue(sql, { definitionKey: 'test', idempotencyKey: 'k' })
    expect(again).toEqual({ job: { id: job.id, status: 'succeeded' }, created: false })

    await sql`update job_server.idempotency_keys set expires_at = now()`
    expect(await enqueue(sql, { definitionKey: 'test', idempotencyKey: 'k' })).toMatchObject({
      created: true,
    })
  })

  test('uniqueForSeconds meets a job with the same parameters, whatever its key', async () => {
    const first = await enqueue(sql, { definitionKey: 'test', params: { n: 1 }, uniqueForSeconds: 60 })
    const again = await enqueue(sql, { definitionKey: 'test', params: { n: 1 }, uniqueForSeconds: 60 })
    expect(again).toEqual({ ...first, created: false })
    const other = await enqueue(sql, { definitionKey: 'test', params: { n: 2 }, uniqueForSeconds: 60 })
    expect(other.created).toBe(true)
  })
})

describe('many at once', () => {
  test('are answered in order, and repeats within a batch meet the first', async () => {
    const inputs = [1, 2, 1].map((n) => ({ definitionKey: 'test', params: { n }, idempotencyKey: `k${n}` }))
    const answers = await enqueueMany(sql, inputs)
    expect(answers.map(({ created }) => created)).toEqual([true, true, false])
    expect(answers[2]?.job.id).toBe(answers[0]?.job.id)
    expect(await count()).toBe(2)
  })

  test('are all or nothing', async () => {
    await enqueue(sql, { definitionKey: 'test', params: { n: 1 }, idempotencyKey: 'k' })
    const conflict = enqueueMany(sql, [
      { definitionKey: 'test', params: { n: 5 } },
      { definitionKey: 'test', params: { n: 2 }, idempotencyKey: 'k' },
    ])
    await expect(conflict).rejects.toThrow(IdempotencyConflict)
    await expect(
      enqueueMany(sql, [{ definitionKey: 'test' }, { definitionKey: 'test', params: { n: 'one' } }]),
    ).rejects.toThrow(InvalidParams)
    await expect(enqueueMany(sql, [{ definitionKey: 'test' }, { definitionKey: 'nope' }])).rejects.toThrow(
      DefinitionNotFound,
    )
    expect(await count()).toBe(1)
  })

  test('are told both places of a key that stands beside two sets of parameters', async () => {
    const asking = (n: number) => ({ definitionKey: 'test', params: { n }, idempotencyKey: 'k' })
    const clash = enqueueMany(sql, [{ definitionKey: 'test' }, asking(1), asking(1), asking(2)])
    await expect(clash).rejects.toThrow(IdempotencyConflict)
    await expect(clash).rejects.toThrow(
      'jobs.3.idempotencyKey: the same key stands at jobs.1 with other parameters.',
    )
    expect(await count()).toBe(0)
  })

  const keyed = (count: number) =>
    Array.from({ length: count }, (_, n) => ({ definitionKey: 'test', idempotencyKey: `k${n}` }))

  test('are repeated with as many statements as few are', async () => {
    const pool = openPool({ DATABASE_URL: line.url, DATABASE_POOL_SIZE: 1 }, 'test')
    onTestFinished(() => pool.end())
    const repeat = async (many: number) => {
      const sent = line.statements()
      const answers = await enqueueMany(pool, keyed(many))
      await flushHints(pool)
      expect(answers.filter(({ created }) => created)).toEqual([])
      return line.statements() - sent
    }
    await enqueueMany(pool, keyed(30))
    await flushHints(pool)
    const few = await repeat(2)
    expect(few).toBeGreaterThan(1)
    expect(await repeat(30)).toBe(few)
  })

  test('are told what has become of the jobs that they meet', async () => {
    await enqueueMany(sql, keyed(4))
    const leases = (await queue.claim({ limit: 3 })).map(({ lease }) => lease)
    const failure = { ...failedWith('x'), retry: false }
    const ends = [{ kind: 'succeeded', result: null } as const, failure, failure]
    await finish(
      sql,
      leases.map((lease, place) => ({ lease, end: ends[place] ?? failure })),
    )
    // Of the third, the dead letter alone is kept.
    await sql`delete from job_server.job_history where id = ${leases[2]?.jobId ?? ''}`
    const again = await enqueueMany(sql, keyed(4))
    const statuses = new Map(again.map(({ job }) => [job.id, job.status]))
    expect(leases.map(({ jobId }) => statuses.get(jobId))).toEqual(['succeeded', 'failed', 'failed'])
    expect([...statuses.values()].sort()).toEqual(['failed', 'failed', 'queued', 'succeeded'])
  })
})

describe('what is wrong with one job', () => {
  const wrong = { definitionKey: 'test', params: { n: 'one' } }
  const noWebhook = { definitionKey: 'test', webhookUrl: 'ftp://here' }
  const pathsOf = async (enqueuing: Promise<unknown>) => {
    const error = await enqueuing.catch((error) => error)
    if (error instanceof InvalidParams || error instanceof InvalidWebhook)
      return error.issues.map(({ path }) => path)
    throw error
  }

  test('is told with its place among many', async () => {
    const fine = { definitionKey: 'test' }
    expect(await pathsOf(enqueueMany(sql, [fine, wrong]))).toEqual(['jobs.1.params.n'])
    expect(await pathsOf(enqueueMany(sql, [fine, noWebhook]))).toEqual(['jobs.1.webhookUrl'])
    expect(await pathsOf(enqueueMany(sql, [fine, { definitionKey: 'test', metadata: { a: '\0' } }]))).toEqual(
      ['jobs.1.metadata'],
    )
    await expect(enqueueMany(sql, [fine, { definitionKey: 'nope' }])).rejects.toThrow(
      'jobs.1.definitionKey: No definition "nope" version 1 is registered.',
    )
  })

  test('is told without one of a single job', async () => {
    expect(await pathsOf(enqueue(sql, wrong))).toEqual(['params.n'])
    expect(await pathsOf(enqueue(sql, noWebhook))).toEqual(['webhookUrl'])
    await expect(enqueue(sql, { definitionKey: 'nope' })).rejects.toThrow(/^No definition/)
  })
})

test('inside the caller’s transaction a job comes and goes with it', async () => {
  const undone = sql.begin(async (tx) => {
    await enqueue(tx, { definitionKey: 'test' })
    throw new Error('undo')
  })
  await expect(undone).rejects.toThrow('undo')
  expect(await count()).toBe(0)
  await sql.begin(async (tx) => {
    await enqueue(tx, { definitionKey: 'test' })
  })
  expect(await count()).toBe(1)
})

test('higher priorities are claimed first, and the older first among equals', async () => {
  const ids = []
  for (const priority of [0, 5, 0, -1, 5]) ids.push(await queue.enqueue({ priority }))
  const claimed = await queue.claim({ limit: 10 })
  const [a, b, c, d, e] = ids
  expect(claimed.map(({ lease }) => lease.jobId)).toEqual([b, e, a, c, d])
})

test('a delayed job is claimable only once staged, and the wait until then is told', async () => {
  const jobId = await queue.enqueue({ delaySeconds: 30 })
  expect(await readJob(sql, jobId)).toMatchObject({ status: 'queued', scheduledAt: expect.any(Date) })
  const before = await stage(sql, { limit: 10 })
  expect(before.staged).toBe(0)
  expect(before.nextDueInSeconds).toBeGreaterThan(25)
  expect(await queue.claim()).toEqual([])
  await sql`update job_server.jobs set scheduled_at = now()`
  expect(await stage(sql, { limit: 10 })).toMatchObject({ staged: 1, nextDueInSeconds: null })
  expect((await queue.claimOne()).lease.jobId).toBe(jobId)
})

test('only jobs whose code is loaded, and of the queues asked for, are claimed', async () => {
  await queue.enqueue({ queue: 'other' })
  expect(await queue.claim({ queues: ['default'] })).toEqual([])
  const { definitions } = queue
  expect(definitions).toHaveLength(1)
  expect(await queue.claim({ queues: ['default', 'other'] })).toHaveLength(1)
})

describe('dependencies', () => {
  const settle = async (end: 'succeeded' | 'failed') => {
    const { lease } = await queue.claimOne()
    await finish(sql, [
      {
        lease,
        end: end === 'succeeded' ? { kind: 'succeeded', result: null } : { ...failedWith('x'), retry: false },
      },
    ])
    return lease.jobId
  }

  test('a job runs once all it depends on have succeeded', async () => {
    const first = await queue.enqueue()
    const second = await queue.enqueue()
    const dependent = await queue.enqueue({ dependsOn: [first, second] })
    await settle('succeeded')
    expect((await readJob(sql, dependent))?.status).toBe('queued')
    expect(await settle('succeeded')).toBe(second)
    expect((await queue.claimOne()).lease.jobId).toBe(dependent)
    expect(await queue.claim()).toEqual([])
  })

  test('a job that is also delayed does not begin before its time', async () => {
    const first = await queue.enqueue()
    await queue.enqueue({ dependsOn: [first], delaySeconds: 1000 })
    await settle('succeeded')
    expect(await queue.claim()).toEqual([])
    await sql`update job_server.jobs set scheduled_at = now()`
    await stage(sql, { limit: 10 })
    expect(await queue.claim()).toHaveLength(1)
  })

  test('a job whose dependency fails is cancelled, and so is what depends on it', async () => {
    const first = await queue.enqueue()
    const second = await queue.enqueue({ dependsOn: [first] })
    const third = await queue.enqueue({ dependsOn: [second] })
    await settle('failed')
    for (const jobId of [second, third]) {
      expect(await readJob(sql, jobId)).toMatchObject({ status: 'cancelled', errorCode: 'dependency_failed' })
    }
  })

  test('one that has succeeded already holds nothing up; one that has not is refused', async () => {
    const good = await queue.enqueue()
    await settle('succeeded')
    await queue.enqueue({ dependsOn: [good] })
    expect(await queue.claim()).toHaveLength(1)
    await sql`truncate job_server.jobs`
    const bad = await queue.enqueue()
    await settle('failed')
    await expect(queue.enqueue({ dependsOn: [bad] })).rejects.toThrow(DependencyFailed)
  })

  test('a repeated request meets its job, whatever has become of what that waited for', async () => {
    const first = await queue.enqueue()
    const input = { definitionKey: 'test', dependsOn: [first], idempotencyKey: 'after-first' }
    const { job } = await enqueue(sql, input)
    await settle('failed')
    expect(await enqueue(sql, input)).toMatchObject({ job: { id: job.id }, created: false })
    const another = { ...input, idempotencyKey: 'another' }
    await expect(enqueue(sql, another)).rejects.toThrow(DependencyFailed)
    await expect(enqueue(sql, another)).rejects.toThrow(DependencyFailed)
  })

  test.each(['succeeded', 'failed'] as const)(
    'an open transaction with a dependent keeps no job from its end, and upkeep finds what waits for one that %s',
    async (kind) => {
      const first = await queue.enqueue({ maxAttempts: 1 })
      const { lease } = await queue.claimOne()
      const dependent = await sql.begin(async (tx) => {
        const { job } = await enqueue(tx, { definitionKey: 'test', dependsOn: [first] })
        const end = kind === 'failed' ? failedWith('broken') : ({ kind, result: null } as const)
        expect((await finish(sql, [{ lease, end }])).finished).toMatchObject([{ status: kind }])
        return job.id
      })
      expect(await queue.claim()).toEqual([])
      await sweep(sql)
      if (kind === 'succeeded') expect((await queue.claimOne()).lease.jobId).toBe(dependent)
      else expect(await readJob(sql, dependent)).toMatchObject({ errorCode: 'dependency_failed' })
    },
  )

  test('a dependency that fails between the look at it and the write, in an open transaction, is not taken for one that succeeded', async () => {
    const first = await queue.enqueue({ maxAttempts: 1 })
    const { lease } = await queue.claimOne()
    const fail = () => finish(sql, [{ lease, end: failedWith('broken') }])
    const dependent = await sql.begin(async (tx) => {
      const { job } = await enqueue(before(tx, /with known as/, fail), {
        definitionKey: 'test',
        dependsOn: [first],
      })
      return job.id
    })
    expect(await readJob(sql, first)).toMatchObject({ status: 'failed' })
    expect(await queue.claim()).toEqual([])
    await sweep(sql)
    expect(await readJob(sql, dependent)).toMatchObject({
      status: 'cancelled',
      errorCode: 'dependency_failed',
    })
  })

  test('an end that races the enqueue of a dependent neither misses it nor leaves it waiting', async () => {
    for (let time = 0; time < 20; time++) {
      const first = await queue.enqueue()
      const { lease } = await queue.claimOne()
      const [{ job }] = await Promise.all([
        enqueue(sql, { definitionKey: 'test', dependsOn: [first] }),
        finish(sql, [{ lease, end: { kind: 'succeeded', result: null } }]),
      ])
      const next = await queue.claimOne()
      expect(next.lease.jobId).toBe(job.id)
      await finish(sql, [{ lease: next.lease, end: { kind: 'succeeded', result: null } }])
    }
  })
})

describe('requests at once', () => {
  test('go together: each has a job of its own, and one transaction wrote them all', async () => {
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, n) => enqueue(sql, { definitionKey: 'test', params: { n } })),
    )
    const ids = answers.map(({ job }) => job.id)
    const jobs = await Promise.all(ids.map((id) => readJob(sql, id)))
    expect(jobs.map((job) => job?.params)).toEqual(ids.map((_, n) => ({ n })))
    const [row] = await sql<{ events: number; transactions: number }[]>`
      select count(*)::int as events, count(distinct xid)::int as transactions
      from job_server.events
      where job_id = any(${ids}::uuid[])`
    expect(row).toEqual({ events: 40, transactions: 1 })
  })

  test('fail each for its own reason, and none for that of another', async () => {
    const [good, unwritable, unknown, invalid, last] = await Promise.allSettled([
      enqueue(sql, { definitionKey: 'test' }),
      enqueue(sql, { definitionKey: 'test', concurrencyKey: 'k'.repeat(256) }),
      enqueue(sql, { definitionKey: 'nobody.knows' }),
      enqueue(sql, { definitionKey: 'test', params: { n: 'one' } }),
      enqueue(sql, { definitionKey: 'test' }),
    ])
    expect(good.status).toBe('fulfilled')
    expect(unwritable).toMatchObject({ reason: { code: '23514', constraint_name: 'jobs_key_length' } })
    expect(unknown).toMatchObject({ reason: expect.any(DefinitionNotFound) })
    expect(invalid).toMatchObject({ reason: expect.any(InvalidParams) })
    expect(last.status).toBe('fulfilled')
    expect(await count()).toBe(2)
  })

  test('do not wait for one whose idempotency key somebody holds', async () => {
    const held = Promise.withResolvers<void>()
    const taken = Promise.withResolvers<void>()
    const holder = sql.begin(async (tx) => {
      await enqueue(tx, { definitionKey: 'test', idempotencyKey: 'k' })
      taken.resolve()
      await held.promise
    })
    await taken.promise
    const keyed = enqueue(sql, { definitionKey: 'test', idempotencyKey: 'k' })
    await waitsForLock(sql)
    expect(await enqueue(sql, { definitionKey: 'test' })).toMatchObject({ created: true })
    held.resolve()
    await holder
    expect(await keyed).toMatchObject({ created: false })
  })
})

describe('what an open transaction of somebody holds', () => {
  const hold = async (...inputs: EnqueueInput[]) => {
    const letGo = Promise.withResolvers<void>()
    const taken = Promise.withResolvers<void>()
    const holder = sql.begin(async (tx) => {
      await enqueueMany(tx, inputs)
      taken.resolve()
      await letGo.promise
    })
    onTestFinished(() => letGo.resolve())
    await taken.promise
    return {
      letGo: async () => {
        letGo.resolve()
        await holder
      },
    }
  }
  const withKey = { definitionKey: 'test', idempotencyKey: 'k' }
  const inNewLane = { definitionKey: 'test', queue: 'new' }

  test('is waited for by those alone who need it, and not for ever', async () => {
    const { letGo } = await hold({ ...inNewLane, ...withKey })
    const waiting = Promise.allSettled([
      enqueue(sql, inNewLane),
      enqueue(sql, inNewLane),
      enqueue(sql, withKey),
      enqueueMany(sql, [withKey, { ...withKey, idempotencyKey: 'other' }]),
      enqueueMany(sql, [inNewLane, { definitionKey: 'test' }]),
      enqueueAddition(sql, newId(), withKey),
    ])
    await waitsForLock(sql)
    expect(await enqueue(sql, { definitionKey: 'test' })).toMatchObject({ created: true })
    const reasons = (await waiting).map((each) => each.status === 'rejected' && each.reason)
    expect(reasons.map(isInUse)).toEqual([true, true, true, true, true, true])
    await letGo()
    expect(await enqueue(sql, inNewLane)).toMatchObject({ created: true })
    expect(await enqueue(sql, withKey)).toMatchObject({ created: false })
    expect(await count()).toBe(3)
  }, 60_000)

  test('is waited for as long as the session says, where it does', async () => {
    const { letGo } = await hold({ definitionKey: 'test', queue: 'newer' })
    const hasty = openPool({ DATABASE_URL: url, DATABASE_POOL_SIZE: 1 }, 'test')
    await hasty`set lock_timeout = '1ms'`
    await expect(enqueue(hasty, { definitionKey: 'test', queue: 'newer' })).rejects.toMatchObject({
      code: '55P03',
    })
    await hasty.end()
    await letGo()
  })

  test('is no limit of the caller’s transaction', async () => {
    await sql.begin(async (tx) => {
      await enqueueMany(tx, [withKey, { ...withKey, idempotencyKey: 'other' }])
      expect(await tx`select current_setting('lock_timeout') as patience`).toEqual([{ patience: '0' }])
    })
  })

  test('is come to in one order by all who make several lanes at once', async () => {
    const lanes = Array.from({ length: 30 }, (_, n) => ({ definitionKey: 'test', queue: `lane-${n + 10}` }))
    const [first = inNewLane, ...others] = lanes
    const { letGo } = await hold(first)
    const waiting = enqueueMany(sql, lanes.toReversed())
    await waitsForLock(sql)
    // It has made none of the others yet.
    await sql.begin(async (tx) => {
      await tx`set local lock_timeout = '100ms'`
      await enqueueMany(tx, others)
    })
    await letGo()
    expect(await waiting).toHaveLength(30)
  })
})

describe('a definition that changes', () => {
  const register = async (change: { queue?: string; paramsSchema?: JsonObject }) => {
    const [definition] = queue.definitions
    if (definition === undefined) throw new Error('there is no definition')
    await registerDefinitions(sql, [{ ...definition, ...change }])
  }
  afterEach(() => register({}))

  test('is known as it is now to the next who enqueues: where, and what it takes', async () => {
    await queue.enqueue()
    await register({
      queue: 'other',
      paramsSchema: { type: 'object', properties: { n: { type: 'string' } }, required: ['n'] },
    })
    await expect(enqueue(sql, { definitionKey: 'test', params: { n: 1 } })).rejects.toThrow(InvalidParams)
    const { job } = await enqueue(sql, { definitionKey: 'test', params: { n: 'one' } })
    expect(await readJob(sql, job.id)).toMatchObject({ queue: 'other', params: { n: 'one' } })
  })

  test('may allow what it did not', async () => {
    await register({ paramsSchema: { type: 'object', properties: { n: { type: 'string' } } } })
    await expect(enqueue(sql, { definitionKey: 'test', params: { n: 1 } })).rejects.toThrow(InvalidParams)
    await register({ paramsSchema: { type: 'object', properties: { n: { type: 'number' } } } })
    expect(await enqueue(sql, { definitionKey: 'test', params: { n: 1 } })).toMatchObject({ created: true })
  })

  test('again and again keeps nobody from enqueuing', async () => {
    const changes = (async () => {
      for (let n = 0; n < 20; n++) await register({ queue: `queue-${n}` })
    })()
    const made = await Promise.all(
      Array.from({ length: 200 }, () => enqueue(sql, { definitionKey: 'test', params: { n: 1 } })),
    )
    await changes
    expect(made.filter(({ created }) => created)).toHaveLength(200)
    expect(await count()).toBe(200)
    const { job } = await enqueue(sql, { definitionKey: 'test' })
    expect(await readJob(sql, job.id)).toMatchObject({ queue: 'queue-19' })
  })
})
