import { expect, test } from 'vitest'
import { removeOldFires } from '../../../../core/upkeep/fires.ts'
import { testDatabase } from '../../../support/database.ts'
import { testQueue } from '../../../support/queue.ts'
import { testSchedule } from '../../../support/schedules.ts'

const { sql } = await testDatabase()
const queue = await testQueue(sql)

test('records past retention go, but for those whose job still lives', async () => {
  const schedule = await testSchedule(sql, { expression: '0 * * * *' })
  const living = await queue.enqueue()
  const record = async (jobId: string, daysAgo: number) => {
    await sql`
      insert into job_server.schedule_fires (schedule_id, fire_at, recorded_at, outcome, job_id)
      select ${schedule.id}, at, at, 'enqueued', ${jobId}
      from (select now() - make_interval(days => ${daysAgo}::int) as at) as time`
  }
  const [gone, recent] = [Bun.randomUUIDv7(), Bun.randomUUIDv7()]
  await record(gone, 9)
  await record(living, 8)
  await record(recent, 1)
  expect(await removeOldFires(sql, { retentionDays: 7 })).toBe(1)
  const kept = await sql<{ jobId: string }[]>`select job_id from job_server.schedule_fires order by fire_at`
  expect(kept.map(({ jobId }) => jobId)).toEqual([living, recent])
})
