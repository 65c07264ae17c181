import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { schemaText } from '../../../scripts/schema-text.ts'
import { testDatabase } from '../../support/database.ts'

const { sql } = await testDatabase()
const committed = await readFile(new URL('../../../migrations/schema.txt', import.meta.url), 'utf8')

test('the committed schema is what the migrations add up to', async () => {
  expect(await schemaText(sql), 'bun run schema').toBe(committed)
})

test('partitions of later weeks change nothing in it, so it is the same every day', async () => {
  const [row] = await sql<{ made: number }[]>`select job_server.ensure_partitions(8) as made`
  expect(row?.made).toBeGreaterThan(0)
  expect(await schemaText(sql)).toBe(committed)
})

test.each([
  ['a column', 'alter table job_server.jobs add extra text'],
  ['a default', 'alter table job_server.jobs alter attempts set default 1'],
  ['not null', 'alter table job_server.jobs alter worker_id set not null'],
  ['a constraint', 'alter table job_server.jobs add constraint extra check (priority > 0) not valid'],
  ['an index', 'create index extra on job_server.jobs (priority)'],
  ['a storage parameter', 'alter table job_server.jobs set (fillfactor = 90)'],
  ['a table', 'create table job_server.extra ()'],
  ['a function', "create function job_server.extra() returns int language sql as 'select 1'"],
  ['a view', 'create view job_server.extra as select 1 as one'],
  ['a type', "create type job_server.extra as enum ('a', 'b')"],
  ['a sequence', 'create sequence job_server.extra'],
])('%s more shows', async (_what, change) => {
  const changed = await sql
    .begin(async (tx) => {
      await tx.unsafe(change)
      throw new RolledBack(await schemaText(tx))
    })
    .catch((error) => {
      if (error instanceof RolledBack) return error.message
      throw error
    })
  expect(changed).not.toBe(committed)
})

class RolledBack extends Error {}
