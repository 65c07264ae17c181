import { beforeEach, expect, test } from 'vitest'
import { removeExpiredKeys } from '../../../../core/upkeep/idempotency.ts'
import { testDatabase } from '../../../support/database.ts'

const { sql } = await testDatabase()

beforeEach(async () => {
  await sql`truncate job_server.idempotency_keys`
})

async function hold(kind: 'client' | 'unique', key: string, seconds: number): Promise<void> {
  await sql`
    insert into job_server.idempotency_keys (definition_key, kind, key, job_id, params_hash, expires_at)
    values ('test', ${kind}, ${key}, gen_random_uuid(), '', now() + make_interval(secs => ${seconds}))`
}

const held = async () =>
  await sql<
    { kind: string; key: string }[]
  >`select kind, key from job_server.idempotency_keys order by kind, key`

test('keys past their time go, a part at a time, and those of another kind with the same text stay', async () => {
  await hold('client', 'a', -1)
  await hold('client', 'b', -1)
  await hold('client', 'c', 60)
  await hold('unique', 'a', 60)
  expect(await removeExpiredKeys(sql, { limit: 1 })).toBe(1)
  expect(await removeExpiredKeys(sql, { limit: 10 })).toBe(1)
  expect(await held()).toEqual([
    { kind: 'client', key: 'c' },
    { kind: 'unique', key: 'a' },
  ])
})

test('one that an open transaction takes anew is not waited for, and stays', async () => {
  await hold('client', 'a', -1)
  await hold('client', 'b', -1)
  await sql.begin(async (tx) => {
    await tx`update job_server.idempotency_keys set expires_at = now() + interval '1 hour' where key = 'a'`
    expect(await removeExpiredKeys(sql, { limit: 10 })).toBe(1)
  })
  expect(await held()).toEqual([{ kind: 'client', key: 'a' }])
})
