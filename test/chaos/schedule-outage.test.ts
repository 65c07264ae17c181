/** Schedulers whose way to the database breaks, whose clock is wrong, and that stop in the middle of a fire. */
import { afterEach, expect, test } from 'vitest'
import { testDatabase } from '../support/database.ts'
import { openLine } from '../support/line.ts'
import { testQueue } from '../support/queue.ts'
import { testSchedulers } from '../support/schedulers.ts'
import { type TestSchedule, testSchedule } from '../support/schedules.ts'
import { until } from '../support/until.ts'

const { sql, url } = await testDatabase()
await testQueue(sql)
const [server] = await sql<
  { version: number }[]
>`select current_setting('server_version_num')::int as version`
const schedulers = testSchedulers(url, { SCHEDULER_LEASE_SECONDS: '1' })

afterEach(async () => {
  await Promise.all(schedulers.all.map((scheduler) => scheduler.stop(60)))
  await sql`truncate job_server.schedules, job_server.schedule_fires, job_server.jobs`
})

/** As if it had been made so long ago. */
async function age({ id }: TestSchedule, seconds: number): Promise<void> {
  await sql`
    update job_server.schedules set
      created_at = created_at - make_interval(secs => ${seconds}),
      next_fire_at = next_fire_at - make_interval(secs => ${seconds}),
      due_at = due_at - make_interval(secs => ${seconds})
    where id = ${id}`
}

test('after an outage across fire times each schedule goes on by its catch-up policy', async () => {
  const line = await openLine(url)
  const scheduler = await schedulers.start({ DATABASE_URL: line.url })
  const every5min = { expression: 'every 5m' }
  const policies = {
    none: await testSchedule(sql, { ...every5min, catchUp: 'none' }),
    last: await testSchedule(sql, { ...every5min, catchUp: 'last' }),
    all: await testSchedule(sql, { ...every5min, catchUp: 'all' }),
    two: await testSchedule(sql, { ...every5min, catchUp: 'all', catchUpLimit: 2 }),
  }
  await until('the scheduler to lead', async () => {
    const leases = await sql`select from job_server.leases where holder = ${scheduler.name}`
    return leases.length > 0
  })

  line.drop()
  await until('the scheduler to notice', () => scheduler.lastLines.includes('pass.failed'))
  // Twenty minutes and a half: four times pass, the last of them half a minute more than two minutes ago.
  for (const schedule of Object.values(policies)) await age(schedule, 4 * 300 + 150)
  await line.restore()

  const outcomes = async (schedule: TestSchedule) =>
    (await schedule.fires()).map(({ outcome, missedTimes }) =>
      outcome === 'missed' ? `${outcome} ${missedTimes}` : outcome,
    )
  await until('all to be aimed at a time to come', async () => {
    const overdue = await sql`select from job_server.schedules where due_at < now()`
    return overdue.length === 0
  })
  expect(await outcomes(policies.none)).toEqual(['missed 4'])
  expect(await outcomes(policies.last)).toEqual(['missed 3', 'enqueued'])
  expect(await outcomes(policies.all)).toEqual(['enqueued', 'enqueued', 'enqueued', 'enqueued'])
  expect(await outcomes(policies.two)).toEqual(['missed 2', 'enqueued', 'enqueued'])
})

test('a scheduler whose clock is wrong by ten minutes fires in time', async () => {
  const skewSeconds = 600
  await schedulers.start({
    BUN_OPTIONS: `--preload ${new URL('./skew.ts', import.meta.url).pathname}`,
    SKEW_SECONDS: String(skewSeconds),
  })
  const schedule = await testSchedule(sql, { expression: 'every 200ms' })
  const fires = await until('ten fires', async () => {
    const found = (await schedule.fires()).filter(({ outcome }) => outcome === 'enqueued')
    return found.length >= 10 && found
  })
  for (const { fireAt, recordedAt } of fires) {
    expect(recordedAt.getTime()).toBeGreaterThanOrEqual(fireAt.getTime())
    expect(recordedAt.getTime() - fireAt.getTime()).toBeLessThan(500 * skewSeconds)
  }
})

// Before version 17 PostgreSQL does not end a transaction that stands still inside a statement.
test.skipIf((server?.version ?? 0) < 170_000)(
  'what a scheduler that stops in the middle of a fire has locked is fired by another, and once',
  async () => {
    const hourly = await testSchedule(sql, { expression: 'every 1h' })
    const first = await schedulers.start()
    // Its transaction waits for the table, with the schedule locked, and stays open when it is paused: inside a statement,
    // as this library sends the text of one ahead of its parameters.
    const table = await sql.reserve()
    await table`begin`
    await table`lock table job_server.jobs in exclusive mode`
    await age(hourly, 3600)
    await until('the scheduler to be in the middle of its fire', async () => {
      const free = await sql`select from job_server.schedules where id = ${hourly.id} for update skip locked`
      return free.length === 0
    })
    first.signal('SIGSTOP')
    await table`commit`
    table.release()

    await schedulers.start()
    await until('the other to fire', async () => (await hourly.fires()).length > 0)
    first.signal('SIGCONT')
    await until('the first to find its connection gone', () => first.lastLines.includes('pass.failed'))
    expect((await hourly.fires()).map(({ outcome }) => outcome)).toEqual(['enqueued'])
    const jobs = await sql`select from job_server.jobs`
    expect(jobs).toHaveLength(1)
  },
)
