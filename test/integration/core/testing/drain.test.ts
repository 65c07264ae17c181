import postgres from 'postgres'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { enqueueJob } from '../../../../core/client.ts'
import { defineJob } from '../../../../core/job.ts'
import { drain } from '../../../../core/testing/drain.ts'
import echo from '../../../../jobs/echo.ts'
import { testDatabase } from '../../../support/database.ts'

const { sql, url } = await testDatabase()

const flaky = defineJob({
  key: 'flaky',
  params: z.object({ fails: z.int() }),
  backoff: { baseSeconds: 100 },
  run({ fails }, { attempt }) {
    if (attempt <= fails) throw new Error('not yet')
    return { attempt }
  },
})
const family = defineJob({
  key: 'family',
  params: z.object({}),
  run: (_params, context) =>
    context.enqueueChildren([
      { definitionKey: 'echo', params: { message: 'one' } },
      { definitionKey: 'echo', params: { message: 'two' } },
    ]),
  onChildren: (_params, _context, children) => children.map(({ result }) => result),
})

const all = [echo, flaky, family]
await drain(sql, all)

beforeEach(async () => {
  await sql`truncate job_server.jobs`
})

test('an empty queue is drained at once', async () => {
  expect(await drain(sql, all)).toEqual([])
})

test('jobs are run to their ends, in order, children and parents too', async () => {
  await enqueueJob(sql, echo, { message: 'first' })
  await enqueueJob(sql, family, {})
  const drained = await drain(sql, all)
  expect(drained.map(({ definitionKey, status }) => `${definitionKey} ${status}`)).toEqual([
    'echo succeeded',
    'family queued',
    'echo succeeded',
    'echo succeeded',
    'family succeeded',
  ])
  expect(drained.at(-1)?.run.outcome).toEqual({
    kind: 'succeeded',
    result: [{ message: 'one' }, { message: 'two' }],
  })
})

test('what is not due stays, unless waits are skipped', async () => {
  await enqueueJob(sql, flaky, { fails: 2 })
  expect(await drain(sql, all)).toMatchObject([{ attempt: 1, status: 'queued' }])
  expect(await drain(sql, all)).toEqual([])
  expect(await drain(sql, all, { skipWaits: true })).toMatchObject([
    { attempt: 2, status: 'queued' },
    { attempt: 3, status: 'succeeded' },
  ])
})

test('jobs of other definitions stay where they are', async () => {
  await enqueueJob(sql, echo, {})
  expect(await drain(sql, [flaky])).toEqual([])
  expect(await drain(sql, [echo])).toHaveLength(1)
})

describe.each([
  ['as it comes', {}],
  ['with camel-case names and values', { transform: postgres.camel }],
  [
    'with types and rows of its own',
    { types: { bigint: postgres.BigInt }, transform: { row: Object.entries } },
  ],
  ['that knows no arrays', { fetch_types: false }],
  ['with one connection', { max: 1 }],
])("on the caller's own pool %s", (_how, options) => {
  const theirs = postgres(url, options as postgres.Options<never>)
  afterAll(() => theirs.end({ timeout: 5 }))

  test('jobs are run to their ends', async () => {
    await enqueueJob(sql, flaky, { fails: 1 })
    await enqueueJob(sql, family, {})
    const drained = await drain(theirs, all, { skipWaits: true })
    expect(drained.map(({ status }) => status)).toEqual([
      ...['queued', 'succeeded', 'queued', 'succeeded', 'succeeded', 'succeeded'],
    ])
  })
})

test('a job whose attempt could not be brought to its end is in the queue again', async () => {
  const orphan = defineJob({
    key: 'orphan',
    params: z.object({}),
    run: (_params, context) => context.enqueueChildren([{ definitionKey: 'nobody.knows' }]),
  })
  await drain(sql, [orphan])
  await enqueueJob(sql, orphan, {})
  await expect(drain(sql, [orphan])).rejects.toThrow('nobody.knows')
  const jobs = await sql<{ state: string; attempts: number }[]>`select state, attempts from job_server.jobs`
  expect([...jobs]).toEqual([{ state: 'ready', attempts: 0 }])
})

test('a transaction is refused: what it has not committed could not be seen', async () => {
  await sql.begin(async (tx) => {
    await expect(drain(tx as never, all)).rejects.toThrow('not a transaction')
  })
})
