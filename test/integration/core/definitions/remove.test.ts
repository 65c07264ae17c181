import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import type { Sql } from '../../../../core/db.ts'
import { redrive, redriveMatching, redriveOne } from '../../../../core/dead-letters/redrive.ts'
import { listDefinitions } from '../../../../core/definitions/read.ts'
import { registerDefinitions } from '../../../../core/definitions/register.ts'
import { pruneDefinitions, type Removal, removeDefinition } from '../../../../core/definitions/remove.ts'
import { DefinitionNotFound } from '../../../../core/errors.ts'
import { cancel } from '../../../../core/queue/cancel.ts'
import { enqueue, enqueueMany } from '../../../../core/queue/enqueue.ts'
import { finish } from '../../../../core/queue/finish.ts'
import { readJob } from '../../../../core/queue/read.ts'
import { retryJob } from '../../../../core/queue/retry.ts'
import { listQueues } from '../../../../core/queues/read.ts'
import { listSchedules } from '../../../../core/schedules/read.ts'
import { runNow } from '../../../../core/schedules/run-now.ts'
import { updateSchedule } from '../../../../core/schedules/update.ts'
import { beat, signOff } from '../../../../core/workers/beat.ts'
import { before as justBefore } from '../../../support/before.ts'
import { testDatabase, waitsForLock } from '../../../support/database.ts'
import { failedWith, type TestQueue, testQueue } from '../../../support/queue.ts'
import { testSchedule } from '../../../support/schedules.ts'

const { sql } = await testDatabase()
const definition = { key: 'test', version: 1 }
const other = { key: 'other', queue: 'elsewhere' }
let queue: TestQueue

beforeEach(async () => {
  await sql`
    truncate job_server.jobs, job_server.lanes, job_server.definitions, job_server.schedules, job_server.schedule_fires,
      job_server.workers, job_server.dead_letters, job_server.job_history`
  queue = await testQueue(sql, {}, other)
  await registeredLongAgo()
})

async function registeredLongAgo(): Promise<void> {
  await sql`update job_server.definitions set registered_at = now() - interval '1 hour'`
}

async function keys(): Promise<string[]> {
  return (await listDefinitions(sql)).map(({ key }) => key)
}

async function jobs(): Promise<number> {
  return (await sql`select from job_server.jobs`).count
}

async function bury(definitionKey = 'test'): Promise<{ jobId: string; letterId: string }> {
  const jobId = await queue.enqueue({ definitionKey })
  const { lease } = await queue.claimOne()
  await finish(sql, [{ lease, end: { ...failedWith('boom'), retry: false } }])
  const [letter] = await sql<{ id: string }[]>`
    select id from job_server.dead_letters where original_job_id = ${jobId}`
  return { jobId, letterId: letter?.id ?? '' }
}

/** What is done in a transaction that stays open until it is told to commit. */
async function uncommitted(act: (tx: Sql) => Promise<unknown>): Promise<{ commit(): Promise<void> }> {
  const done = Promise.withResolvers<void>()
  const release = Promise.withResolvers<void>()
  const transaction = sql.begin(async (tx) => {
    await act(tx)
    done.resolve()
    await release.promise
  })
  const commit = async () => {
    release.resolve()
    await transaction
  }
  onTestFinished(commit)
  await Promise.race([done.promise, transaction])
  return { commit }
}

async function uncommittedRemoval(): Promise<{ commit(): Promise<void> }> {
  return await uncommitted(async (tx) => {
    await tx`lock table job_server.definitions in access exclusive mode`
    await tx`delete from job_server.definitions where key = 'test'`
  })
}

const inUse = (use: unknown): Removal => ({ kind: 'in_use', uses: [use as string] })

describe('a definition that nobody needs', () => {
  test('goes with its schedule and its queue, and nothing else does; its history stays', async () => {
    const jobId = await queue.enqueue({ definitionKey: 'other' })
    const { lease } = await queue.claimOne()
    await finish(sql, [{ lease, end: { kind: 'succeeded', result: { n: 1 } } }])
    const [first, second] = queue.definitions
    if (first === undefined || second === undefined) throw new Error('two are defined')
    const schedule = {
      expression: '@daily',
      timezone: 'UTC',
      params: {},
      priority: 0,
      queue: null,
      startsAt: null,
      endsAt: null,
      jitterSeconds: 0,
      overlap: 'allow',
      catchUp: 'last',
      catchUpLimit: 100,
    } as const
    await registerDefinitions(sql, [
      { ...first, schedule },
      { ...second, schedule },
    ])
    await registeredLongAgo()
    expect((await listQueues(sql, { limit: 10, offset: 0 })).queues.map(({ name }) => name)).toEqual([
      'default',
      'elsewhere',
    ])
    expect(await removeDefinition(sql, { key: 'other', version: 1 })).toEqual({ kind: 'removed' })
    expect(await keys()).toEqual(['test'])
    const { schedules } = await listSchedules(sql, { limit: 10, offset: 0 })
    expect(schedules.map(({ name }) => name)).toEqual(['test@1'])
    expect((await listQueues(sql, { limit: 10, offset: 0 })).queues.map(({ name }) => name)).toEqual([
      'default',
    ])
    expect(await readJob(sql, jobId)).toMatchObject({ definitionKey: 'other', result: { n: 1 } })
  })

  test('is gone once; one of our own and one of another version are not to be found', async () => {
    await testQueue(sql, { key: 'webhook.deliver' })
    await registeredLongAgo()
    expect(await removeDefinition(sql, { key: 'test', version: 2 })).toEqual({ kind: 'not_found' })
    expect(await removeDefinition(sql, { key: 'webhook.deliver', version: 1 })).toEqual({ kind: 'not_found' })
    expect(await removeDefinition(sql, definition)).toEqual({ kind: 'removed' })
    expect(await removeDefinition(sql, definition)).toEqual({ kind: 'not_found' })
    expect((await sql`select from job_server.definitions where key = 'webhook.deliver'`).count).toBe(1)
  })

  test('is back when it is registered again, and its jobs run', async () => {
    await removeDefinition(sql, definition)
    await registerDefinitions(sql, queue.definitions)
    const jobId = await queue.enqueue()
    expect((await queue.claimOne()).lease.jobId).toBe(jobId)
  })
})

describe('a definition stays', () => {
  test.each([
    ['is ready', {}],
    ['is due later', { delaySeconds: 1000 }],
    ['is blocked by its key', { concurrencyKey: 'k' }],
  ])('while a job of it %s', async (_state, input) => {
    const jobId = await queue.enqueue(input)
    expect(await removeDefinition(sql, definition)).toEqual(inUse('one of its jobs has not ended'))
    await cancel(sql, jobId)
    expect(await removeDefinition(sql, definition)).toEqual({ kind: 'removed' })
  })

  test('while jobs of it run or wait for others', async () => {
    const jobId = await queue.enqueue()
    await queue.enqueue({ dependsOn: [jobId] })
    await queue.claimOne()
    expect(await removeDefinition(sql, definition)).toEqual(inUse('2 of its jobs have not ended'))
  })

  test('while a schedule will start it; one that is switched off will not, and is not switched on any more', async () => {
    const schedule = await testSchedule(sql, { expression: '@daily', name: 'nightly' })
    expect(await removeDefinition(sql, definition)).toEqual(inUse('schedule "nightly" will start it'))
    const limits = { minPeriodSeconds: 1 }
    await updateSchedule(sql, schedule.id, { enabled: false }, limits)
    expect(await removeDefinition(sql, definition)).toEqual({ kind: 'removed' })
    const again = updateSchedule(sql, schedule.id, { enabled: true }, limits)
    await expect(again).rejects.toThrow(DefinitionNotFound)
    await expect(runNow(sql, schedule.id)).rejects.toThrow(DefinitionNotFound)
    expect(await schedule.read()).toMatchObject({ enabled: false, definitionKey: 'test' })
  })

  test('while a worker that lives has it', async () => {
    const serve = (id: string, definitions: string[]) =>
      beat(sql, { id, kind: 'worker', slots: 1, info: { queues: [], definitions } })
    for (const id of ['w1', 'w2', 'w3', 'w4']) await serve(id, ['test@1'])
    expect(await removeDefinition(sql, definition)).toEqual(
      inUse('workers w1, w2, w3 and 1 more would register it again'),
    )
    for (const id of ['w2', 'w3', 'w4']) await signOff(sql, id)
    expect(await removeDefinition(sql, definition)).toEqual(inUse('worker w1 would register it again'))
    await serve('w1', ['test@2'])
    expect(await removeDefinition(sql, definition)).toEqual({ kind: 'removed' })
  })

  test('for a while after it was registered, as the worker that did so is heard of later', async () => {
    await registerDefinitions(sql, queue.definitions)
    expect(await removeDefinition(sql, definition)).toEqual(
      inUse(expect.stringMatching(/^it was registered just now, .* \(try again in \d+ s\)$/)),
    )
  })
})

describe('an enqueue at the same time', () => {
  test('that came first is waited for, and its job keeps the definition', async () => {
    const enqueuing = await uncommitted((tx) => enqueue(tx, { definitionKey: 'test' }))
    const removal = removeDefinition(sql, definition)
    await waitsForLock(sql)
    await enqueuing.commit()
    expect(await removal).toEqual(inUse('one of its jobs has not ended'))
    expect(await keys()).toContain('test')
  })

  test('in a transaction that stays open is no reason to wait for ever', async () => {
    const enqueuing = await uncommitted((tx) => enqueue(tx, { definitionKey: 'test' }))
    expect(await removeDefinition(sql, definition)).toEqual(
      inUse('a transaction that is still open has read the definitions'),
    )
    // Workers that start meanwhile, and who enqueues, wait for neither.
    await registerDefinitions(sql, queue.definitions)
    await queue.enqueue()
    await enqueuing.commit()
    expect(await jobs()).toBe(2)
  })

  test('that came second waits for the removal, and finds no definition', async () => {
    // What the pool knows of it is from before.
    await cancel(sql, await queue.enqueue())
    const removal = await uncommittedRemoval()
    const enqueuing = expect(queue.enqueue()).rejects.toThrow(DefinitionNotFound)
    await waitsForLock(sql)
    await removal.commit()
    await enqueuing
    expect(await jobs()).toBe(0)
  })

  test('whose transaction has looked before keeps the definition', async () => {
    let removal: Removal | undefined
    await sql.begin(async (tx) => {
      const late = justBefore(tx, /with known as/, async () => {
        removal = await removeDefinition(sql, definition)
      })
      await enqueue(late, { definitionKey: 'test' })
    })
    expect(removal).toEqual(inUse('a transaction that is still open has read the definitions'))
    expect(await jobs()).toBe(1)
    expect(await keys()).toContain('test')
  })

  test('whose transaction sees what was there before it leaves no job', async () => {
    const enqueuing = sql.begin('isolation level repeatable read', async (tx) => {
      await tx`select 1`
      await removeDefinition(sql, definition)
      await enqueue(tx, { definitionKey: 'test' })
    })
    await expect(enqueuing).rejects.toThrow('could not serialize access')
    expect(await jobs()).toBe(0)
    expect(await keys()).toEqual(['other'])
  })

  test.each([
    ['alone', {}],
    ['with a key', { idempotencyKey: 'k' }],
    ['with a dependency', { dependsOn: [] as string[] }],
  ])('%s, by what was known of it before, is refused and costs others nothing', async (_how, input) => {
    await cancel(sql, await queue.enqueue(input))
    const [first] = await enqueueMany(sql, [{ definitionKey: 'other' }])
    if ('dependsOn' in input) input.dependsOn?.push(first?.job.id ?? '')
    await removeDefinition(sql, definition)
    for (let round = 0; round < 2; round++) {
      const outcomes = await Promise.allSettled([
        enqueue(sql, { definitionKey: 'test', ...input }),
        enqueue(sql, { definitionKey: 'other' }),
      ])
      expect(outcomes).toMatchObject([
        { status: 'rejected', reason: expect.any(DefinitionNotFound) },
        { status: 'fulfilled', value: { created: true } },
      ])
    }
    expect(await jobs()).toBe(3)
  })

  test('may be a schedule that is being made, which waits and finds no definition', async () => {
    const removal = await uncommittedRemoval()
    const made = expect(testSchedule(sql, { expression: '@daily' })).rejects.toThrow(DefinitionNotFound)
    await waitsForLock(sql)
    await removal.commit()
    await made
    expect((await listSchedules(sql, { limit: 10, offset: 0 })).total).toBe(0)
  })
})

describe('jobs of a definition that was removed', () => {
  test('stay as they are when they are asked to run again', async () => {
    const { jobId, letterId } = await bury()
    const cancelled = await queue.enqueue()
    await cancel(sql, cancelled)
    await removeDefinition(sql, definition)
    for (const again of [
      () => redriveOne(sql, letterId),
      () => redriveMatching(sql, {}, { limit: 10 }),
      () => redriveMatching(sql, { definitionKey: 'test' }, { limit: 10 }),
      () => retryJob(sql, jobId),
      () => retryJob(sql, cancelled),
    ]) {
      await expect(again()).rejects.toThrow('No definition "test" version 1 is registered.')
    }
    expect(await redrive(sql, [letterId])).toEqual([])
    expect(await jobs()).toBe(0)

    await registerDefinitions(sql, queue.definitions)
    const redriven = await redriveOne(sql, letterId)
    expect(redriven).toMatchObject({ deadLetterId: letterId, created: true })
    expect((await queue.claimOne()).lease.jobId).toBe(redriven?.jobId)
  })

  test('do not keep those of others from being redriven', async () => {
    const { letterId } = await bury()
    const { letterId: possible } = await bury('other')
    await removeDefinition(sql, definition)
    const redriven = await redriveMatching(sql, {}, { limit: 1 })
    expect(redriven).toMatchObject([{ deadLetterId: possible, created: true }])
    expect(
      (await sql`select from job_server.dead_letters where id = ${letterId} and redriven_at is null`).count,
    ).toBe(1)
  })

  test('whose letter was redriven before it went are met as before', async () => {
    const { letterId } = await bury()
    const first = await redriveOne(sql, letterId)
    await cancel(sql, first?.jobId ?? '')
    await removeDefinition(sql, definition)
    expect(await redriveOne(sql, letterId)).toMatchObject({
      jobId: first?.jobId,
      created: false,
      status: 'cancelled',
    })
    await sql`delete from job_server.job_history where id = ${first?.jobId ?? ''}`
    await expect(redriveOne(sql, letterId)).rejects.toThrow(DefinitionNotFound)
  })

  test('can not be made by a redrive that comes at the same time', async () => {
    const { letterId } = await bury()
    const removal = await uncommittedRemoval()
    const redriving = expect(redriveOne(sql, letterId)).rejects.toThrow(DefinitionNotFound)
    await waitsForLock(sql)
    await removal.commit()
    await redriving
    expect(await jobs()).toBe(0)
  })
})

test('all but some are pruned, as far as nobody needs them', async () => {
  await testQueue(sql, {}, other, { key: 'old' }, { key: 'busy' })
  await registeredLongAgo()
  await queue.enqueue({ definitionKey: 'busy' })
  expect(await pruneDefinitions(sql, [definition])).toEqual([
    { name: 'busy@1', removal: inUse('one of its jobs has not ended') },
    { name: 'old@1', removal: { kind: 'removed' } },
    { name: 'other@1', removal: { kind: 'removed' } },
  ])
  expect(await keys()).toEqual(['busy', 'test'])
})
