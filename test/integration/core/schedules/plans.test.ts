/** What a scheduler reads must not grow with the schedules that wait, nor with what became of earlier times. */
import { beforeAll, expect, test } from 'vitest'
import { fireDue } from '../../../../core/schedules/fire-due.ts'
import { lead } from '../../../../core/schedules/lead.ts'
import { readFires } from '../../../../core/schedules/read.ts'
import { testDatabase } from '../../../support/database.ts'
import { observePlans, pagesOf, wholeTablesRead } from '../../../support/plans.ts'
import { testQueue } from '../../../support/queue.ts'
import { testSchedule } from '../../../support/schedules.ts'

const { sql, url } = await testDatabase()
const observed = observePlans(sql, url)
const tables = /^schedule/
await testQueue(sql)
const due = await testSchedule(sql, { expression: 'every 1h', overlap: 'skip' })

beforeAll(async () => {
  await sql`
    insert into job_server.schedules (id, name, definition_key, definition_version, expression, next_fire_at, due_at)
    select gen_random_uuid(), 'waiting ' || n, 'test', 1, '0 3 * * *', now() + n * interval '1 minute', now() + n * interval '1 minute'
    from generate_series(1, 20000) as n`
  // Skipped times between those that became jobs, as of a job that takes long.
  await sql`
    insert into job_server.schedule_fires (schedule_id, fire_at, outcome, job_id)
    select ${due.id}, now() - n * interval '1 hour', case n % 2 when 0 then 'enqueued' else 'skipped' end,
      case n % 2 when 0 then gen_random_uuid() end
    from generate_series(1, 50000) as n`
  await sql`vacuum analyze job_server.schedules`
  await sql`vacuum analyze job_server.schedule_fires`
})

async function expectFrugal(run: () => Promise<unknown>, pages: number): Promise<void> {
  const plans = await observed.plansOf(run, /job_server\.schedule/)
  expect(plans.length).toBeGreaterThan(0)
  for (const plan of plans) {
    expect(wholeTablesRead(plan, tables)).toEqual([])
    expect(pagesOf(plan)).toBeLessThan(pages)
  }
}

test('the look of a leader reads the next schedule alone', async () => {
  await expectFrugal(() => lead(observed.sql, 'a', { leaseSeconds: 6, duties: [] }), 30)
})

test('a pass with nothing due reads next to nothing', async () => {
  await expectFrugal(() => fireDue(observed.sql), 10)
})

test('a pass reads what is due, and of its earlier times the latest', async () => {
  const makeDue = () => sql`
    update job_server.schedules set created_at = now() - interval '1 hour', next_fire_at = now(), due_at = now()
    where id = ${due.id}`
  await makeDue()
  await expectFrugal(async () => {
    expect(await fireDue(observed.sql)).toMatchObject({ enqueued: 1 })
    await makeDue()
  }, 600)
})

test('a page of the history is read as such', async () => {
  await expectFrugal(() => readFires(observed.sql, due.id, { limit: 20 }), 30)
})

test('a statement that does read whole tables would be found', async () => {
  const run = () => observed.sql`select count(*) from job_server.schedule_fires where reason = 'x'`
  const [plan] = await observed.plansOf(run, /schedule_fires/)
  if (plan === undefined) throw new Error('no plan')
  expect(wholeTablesRead(plan, tables)).toEqual(['schedule_fires by Seq Scan'])
})
