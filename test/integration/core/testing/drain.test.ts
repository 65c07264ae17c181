import { beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { enqueueJob } from '../../../../core/client.ts'
import { defineJob } from '../../../../core/job.ts'
import { drain } from '../../../../core/testing/drain.ts'
import echo from '../../../../jobs/echo.ts'
import { testDatabase } from '../../../support/database.ts'

const { sql } = await testDatabase()

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
