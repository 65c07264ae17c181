/** Many letters may lie open: to say how many of which kind must not take reading each. */
import { expect, test } from 'vitest'
import { groupDeadLetters } from '../../../../core/dead-letters/read.ts'
import { testDatabase } from '../../../support/database.ts'
import { observePlans, pagesOf } from '../../../support/plans.ts'

const letters = 20_000
const definitions = 5

const { sql, url } = await testDatabase()
const observed = observePlans(sql, url)

test('groups are counted without the letters themselves', async () => {
  await sql`
    insert into job_server.dead_letters (
      id, original_job_id, definition_key, definition_version, queue, priority, attempts, max_attempts, timeout_seconds,
      params, error_code, error_summary, queued_at, finished_at, moved_to_dlq_at
    )
    select
      gen_random_uuid(), gen_random_uuid(), 'failing-' || n % ${definitions}, 1, 'default', 0, 1, 1, 60,
      jsonb_build_object('text', repeat('x', 500)), 'threw', 'letter ' || n, now(), now(), now() - n * interval '1 second'
    from generate_series(1, ${letters}) as n`
  await sql`vacuum analyze job_server.dead_letters`
  const [pages] = await sql<{ table: number }[]>`
    select relpages as table from pg_class where oid = 'job_server.dead_letters'::regclass`
  const groups = await groupDeadLetters(sql)
  expect(groups.map(({ count }) => count)).toEqual(Array(definitions).fill(letters / definitions))
  expect(groups.map(({ errorSummary }) => errorSummary).sort()).toEqual([
    'letter 1',
    'letter 2',
    'letter 3',
    'letter 4',
    'letter 5',
  ])
  const [plan] = await observed.plansOf(() => groupDeadLetters(observed.sql), /largest/)
  if (plan === undefined || pages === undefined) throw new Error('nothing was read')
  expect(pagesOf(plan)).toBeLessThan(pages.table / 2)
})
