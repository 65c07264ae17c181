/**
 * Plans are kept with prepared statements, and may be older than what there is now: made for any values, and while the
 * tables were empty, as they are at first, or as PostgreSQL sees them when all that they held is gone. What a worker's
 * statements read must not grow with them.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openPool, prepareWhereDirect } from '../../../../core/db.ts'
import { admit, admitWaiting } from '../../../../core/queue/admit.ts'
import { cancel } from '../../../../core/queue/cancel.ts'
import { claim } from '../../../../core/queue/claim.ts'
import { enqueue, enqueueMany } from '../../../../core/queue/enqueue.ts'
import { type End, finish, finishWithChildren, rescue } from '../../../../core/queue/finish.ts'
import { heartbeat } from '../../../../core/queue/heartbeat.ts'
import { stage } from '../../../../core/queue/stage.ts'
import { testDatabase } from '../../../support/database.ts'
import { failedWith, testQueue } from '../../../support/queue.ts'
import { rowsRead } from '../../../support/rows-read.ts'

/** Of each kind that waits, and in history. */
const many = 10_000
/** Rows of a statement's own jobs and what leads there; a look at a whole kind would be more. */
const few = 1500

const { url } = await testDatabase()
const sql = openPool({ DATABASE_URL: url, DATABASE_POOL_SIZE: 1 }, 'test')
// Of one connection too: what each has read is counted when it says so.
const other = openPool({ DATABASE_URL: url, DATABASE_POOL_SIZE: 1 }, 'test')
afterAll(() => Promise.all([sql, other].map((pool) => pool.end({ timeout: 5 }))))
const queue = await testQueue(sql, {}, { key: 'limited', concurrencyLimit: 2 })

const succeeded: End = { kind: 'succeeded', result: null }
const ends: End[] = [failedWith('broken'), { kind: 'interrupted' }, { kind: 'snoozed', seconds: 3600 }]

let keys = 0

/** Everything that is asked of the queue. */
const verbs: Record<string, () => Promise<unknown>> = {
  'enqueue one': () => enqueueFirst(1),
  'enqueue under idempotency keys': () =>
    enqueueMany(sql, [
      { definitionKey: 'test', idempotencyKey: 'a' },
      { definitionKey: 'test', idempotencyKey: 'b' },
    ]),
  'enqueue what depends on others': async () => {
    const dependsOn = await enqueueFirst(20)
    await enqueueMany(
      sql,
      dependsOn.map((id) => ({ definitionKey: 'test', dependsOn: [id, dependsOn[0] ?? id] })),
    )
  },
  'claim, renew and succeed, with others waiting for it': async () => {
    const dependsOn = await enqueueFirst(4)
    await enqueueMany(sql, [{ definitionKey: 'test', dependsOn }])
    const leases = (await claimUpTo(4)).map(({ lease }) => lease)
    expect((await heartbeat(sql, leases, { leaseSeconds: 60 })).lost).toEqual([])
    await finish(
      sql,
      leases.map((lease) => ({ lease, end: succeeded })),
    )
  },
  'claim where limits are looked at': async () => {
    await enqueue(sql, { definitionKey: 'limited', priority: 9 })
    const [job] = await queue.claim({ limit: 1 })
    if (job === undefined) throw new Error('nothing was claimed')
    await finish(sql, [{ lease: job.lease, end: succeeded }])
  },
  'claim as among very many lanes': async () => {
    await enqueueFirst(2)
    const request = { workerId: 'w1', definitions: queue.definitions, queues: [], leaseSeconds: 60 }
    const jobs = await claim(sql, { ...request, limit: 2 }, { limited: true, lanes: 1000 })
    expect(jobs).toHaveLength(2)
    await finish(
      sql,
      jobs.map(({ lease }) => ({ lease, end: succeeded })),
    )
  },
  'end in other ways': async () => {
    await enqueueFirst(ends.length)
    const jobs = await claimUpTo(ends.length)
    await finish(
      sql,
      jobs.map(({ lease }, place) => ({ lease, end: ends[place] ?? succeeded })),
    )
  },
  'repeat an end': async () => {
    await enqueueFirst(1)
    const [job] = await claimUpTo(1)
    if (job === undefined) throw new Error('nothing was claimed')
    await finish(sql, [{ lease: job.lease, end: succeeded }])
    expect((await finish(sql, [{ lease: job.lease, end: succeeded }])).lost).toEqual([])
  },
  'wait for children, and be cancelled': async () => {
    await enqueueFirst(1)
    const [job] = await claimUpTo(1)
    if (job === undefined) throw new Error('nothing was claimed')
    const jobs = [{ definitionKey: 'test' }, { definitionKey: 'test' }]
    await finishWithChildren(sql, job.lease, { jobs, onFailure: 'fail' })
    await cancel(sql, job.lease.jobId)
  },
  'cancel what waits': async () => await cancel(sql, await queue.enqueue()),
  stage: () => stage(sql, { limit: 100 }),
  rescue: async () => {
    await enqueueFirst(1)
    const [job] = await claimUpTo(1)
    await other`update job_server.jobs set lease_expires_at = now() where id = ${job?.lease.jobId ?? null}`
    expect(await rescue(sql, { limit: 100 })).toHaveLength(1)
  },
  'admit the next of a key': async () => {
    keys++
    await enqueue(sql, { definitionKey: 'test', concurrencyKey: `key ${keys}` })
    expect(await admit(sql, [`key ${keys}`])).toBe(1)
  },
  'admit what waits': () => admitWaiting(sql, null),
}

/** Ahead of all others. */
async function enqueueFirst(count: number): Promise<string[]> {
  const inputs = Array.from({ length: count }, () => ({ definitionKey: 'test', priority: 9 }))
  return (await enqueueMany(sql, inputs)).map(({ job }) => job.id)
}

async function claimUpTo(limit: number) {
  const { definitions } = queue
  return await claim(
    sql,
    { workerId: 'w1', definitions, queues: [], limit, leaseSeconds: 60 },
    { limited: false },
  )
}

beforeAll(async () => {
  const all = await other<{ name: string }[]>`
    select relname as name from pg_class
    where relnamespace = 'job_server'::regnamespace and relkind = 'r'`
  for (const { name } of all) {
    await other`alter table job_server.${other(name)} set (autovacuum_enabled = false)`
  }
  await prepareWhereDirect(sql, { DATABASE_PREPARE: 'auto' }, { steady: true })
  await sql`set statement_timeout = '5s'`
})

/** Their pages stay; by these, PostgreSQL can tell that once there was more. */
async function empty(): Promise<void> {
  for (const table of held) await other`delete from job_server.${other(table)}`
}

const held = ['jobs', 'job_dependencies', 'job_history', 'attempts', 'events', 'idempotency_keys']

/** By another connection: statements of this one must not be planned anew. */
async function fill(count: number): Promise<void> {
  const jobs = (state: string, { definition = 'test', key = 'null', parent = 'null', share = 1 } = {}) =>
    other.unsafe(`
      insert into job_server.jobs (
        id, definition_key, definition_version, queue, state, priority, max_attempts, timeout_seconds, params, scheduled_at,
        concurrency_key, concurrency_key_limit, parent_id, worker_id, lease_epoch, lease_expires_at
      )
      select
        gen_random_uuid(), '${definition}', 1, 'default', '${state}', n % 5, 3, 60, '{}', now() + interval '1 day', ${key},
        ${key === 'null' ? 'null' : '1'}, ${parent}, ${state === 'running' ? "'w2', n, now() + interval '1 day'" : 'null, null, null'}
      from generate_series(1, ${count * share}) as n`)
  await jobs('ready')
  await jobs('scheduled')
  await jobs('blocked', { key: "'tenant-' || n % 20" })
  await jobs('ready', { key: "'taken-' || n % 20", definition: 'not.loaded' })
  // No more run than there are slots.
  await jobs('running', { share: 0.05 })
  await jobs('waiting', { parent: 'gen_random_uuid()' })
  await other.unsafe(`
    insert into job_server.job_dependencies (job_id, depends_on)
    select gen_random_uuid(), gen_random_uuid() from generate_series(1, ${count});
    insert into job_server.job_history (
      id, definition_key, definition_version, queue, status, priority, attempts, max_attempts, crash_count, timeout_seconds,
      params, queued_at, finished_at, parent_id
    )
    select
      job_server.uuid_v7_floor(now() - n * interval '1 ms' - interval '1 second' * ${count}), 'test', 1, 'default', 'succeeded', 0, 1, 3, 0, 60, '{}', now(), now(),
      gen_random_uuid()
    from generate_series(1, ${count}) as n;
    insert into job_server.attempts (job_id, lease_epoch, attempt, worker_id, started_at, ended_at, outcome)
    select id, ${count}, 1, 'w2', now(), now(), 'succeeded' from job_server.job_history where parent_id is not null;
    insert into job_server.events (job_id, event_type)
    select id, 'queued' from job_server.job_history where parent_id is not null;
    insert into job_server.idempotency_keys (definition_key, kind, key, job_id, params_hash, expires_at)
    select 'test', 'client', gen_random_uuid(), gen_random_uuid(), '', now() + interval '1 day' from generate_series(1, ${count}) as n`)
}

describe.each([
  { when: 'before anything was held', prepare: () => other.unsafe('vacuum analyze') },
  {
    when: 'when all that was held is gone',
    prepare: async () => {
      await empty()
      // Entries of what is gone would be read once more, or not, by what goes on in other databases.
      await other.unsafe('vacuum (analyze, truncate false)')
    },
  },
])('with plans made $when', ({ prepare }) => {
  beforeAll(async () => {
    await prepare()
    await sql`discard plans`
    for (const verb of Object.values(verbs)) await verb()
    await fill(many)
  }, 120_000)

  test.each(Object.keys(verbs))('to %s reads a few rows', async (name) => {
    const read = await rowsRead({ sql, other }, verbs[name] ?? noVerb)
    expect([...read].filter(([, rows]) => rows > few)).toEqual([])
    expect([...read.values()].some((rows) => rows > 0)).toBe(true)
  })
})

async function noVerb(): Promise<never> {
  throw new Error('there is no such verb')
}
