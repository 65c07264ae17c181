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
  await enqueueJob(sql, family, {})
  await sql`alter table job_server.jobs add constraint no_echo check (definition_key <> 'echo')`
  try {
    await expect(drain(sql, all)).rejects.toThrow('no_echo')
  } finally {
    await sql`alter table job_server.jobs drop constraint no_echo`
  }
  const jobs = await sql<{ state: string; attempts: number }[]>`select state, attempts from job_server.jobs`
  expect([...jobs]).toEqual([{ state: 'ready', attempts: 0 }])
})

describe('a job ends as a worker would end it', () => {
  test.each([
    ['of a definition that nobody knows', [{ definitionKey: 'nobody.knows' }], /nobody\.knows/],
    ['with an option that there is none of', [{ definitionKey: 'echo', dely: 5 }], /dely/],
  ])('children %s', async (_what, children, message) => {
    const orphan = defineJob({
      key: 'orphan',
      params: z.object({}),
      run: (_params, context) => context.enqueueChildren(children),
      onChildren: () => null,
    })
    await drain(sql, [orphan])
    const { job } = await enqueueJob(sql, orphan, {})
    expect(await drain(sql, [orphan])).toMatchObject([{ status: 'failed' }])
    const [letter] = await sql`
      select error_code, error_summary from job_server.job_history where id = ${job.id}`
    expect(letter).toMatchObject({
      errorCode: 'invalid_children',
      errorSummary: expect.stringMatching(message),
    })
  })

  test('it is known by its id, and what it can not enqueue fails it for good', async () => {
    const asking = defineJob({
      key: 'asking',
      params: z.object({ for: z.string() }),
      run: (params, { enqueue, jobId }) => enqueue({ definitionKey: params.for, idempotencyKey: jobId }),
    })
    await drain(sql, [asking])
    const first = await enqueueJob(sql, asking, { for: 'echo' })
    const second = await enqueueJob(sql, asking, { for: 'echo' })
    const third = await enqueueJob(sql, asking, { for: 'nobody.knows' })
    const drained = await drain(sql, [asking])
    const created = { kind: 'succeeded', result: { created: true } }
    expect(drained.map(({ jobId }) => jobId)).toEqual([first, second, third].map(({ job }) => job.id))
    expect(drained.map(({ run }) => run.outcome)).toMatchObject([
      created,
      created,
      { kind: 'failed', errorCode: 'invalid_job', retry: false },
    ])
    expect(drained.at(-1)?.status).toBe('failed')
  })

  test('when it is tried again is asked of the backoff function, unless it came with figures of its own', async () => {
    const patient = defineJob({
      key: 'patient',
      params: z.object({}),
      backoff: () => 5000,
      run() {
        throw new Error('not yet')
      },
    })
    await drain(sql, [patient])
    await enqueueJob(sql, patient, {})
    await enqueueJob(sql, patient, {}, { backoff: { baseSeconds: 0 } })
    await drain(sql, [patient], { limit: 2 })
    const waits = await sql<{ long: boolean }[]>`
      select scheduled_at > now() + interval '1 hour' as long from job_server.jobs order by id`
    expect(waits.map(({ long }) => long)).toEqual([true, false])
  })
})

test('a transaction is refused: what it has not committed could not be seen', async () => {
  await sql.begin(async (tx) => {
    await expect(drain(tx as never, all)).rejects.toThrow('not a transaction')
  })
})
