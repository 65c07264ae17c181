import { beforeEach, expect, test } from 'vitest'
import { type Duty, listDuties, registerDuties, runDueDuty } from '../../../../core/upkeep/duties.ts'
import { testClock } from '../../../support/clock.ts'

const clock = await testClock('2026-01-01T00:00:00Z')
const { sql } = clock

beforeEach(async () => {
  await sql`truncate job_server.upkeep_duties`
  await clock.set('2026-01-01T00:00:00Z')
})

async function registered(...duties: Duty[]): Promise<Duty[]> {
  await registerDuties(sql, duties)
  // Due from the beginning: their column's default is the real time.
  await sql`update job_server.upkeep_duties set next_run_at = now()`
  return duties
}

function counting(name: string, intervalSeconds: number): Duty & { runs: number } {
  const duty = {
    name,
    intervalSeconds,
    runs: 0,
    run: async () => ({ runs: ++duty.runs }),
  }
  return duty
}

test('a duty runs once in its interval, and says what it did', async () => {
  const sweep = counting('sweep', 60)
  const duties = await registered(sweep)
  expect(await runDueDuty(sql, duties)).toMatchObject({ name: 'sweep', outcome: { runs: 1 } })
  expect(await runDueDuty(sql, duties)).toBeNull()
  expect(await listDuties(sql)).toMatchObject([
    {
      name: 'sweep',
      intervalSeconds: 60,
      running: false,
      nextRunAt: new Date('2026-01-01T00:01:00Z'),
      lastStartedAt: new Date('2026-01-01T00:00:00Z'),
      lastOutcome: { runs: 1 },
      lastError: null,
    },
  ])
})

test('a tick that comes a little earlier in its minute than the last finds the duty of each minute due', async () => {
  const sweep = counting('sweep', 60)
  const duties = await registered(sweep)
  for (const time of ['00:00:02', '00:01:01', '00:02:03', '00:03:00']) {
    await clock.set(`2026-01-01T${time}Z`)
    await runDueDuty(sql, duties)
  }
  expect(sweep.runs).toBe(4)
})

test('of many who look at once, one runs it', async () => {
  const sweep = counting('sweep', 60)
  const duties = await registered(sweep)
  const done = await Promise.all(Array.from({ length: 5 }, () => runDueDuty(sql, duties)))
  expect(done.filter((run) => run !== null)).toHaveLength(1)
  expect(sweep.runs).toBe(1)
})

test('one that fails is recorded, and comes again in its time', async () => {
  const failing: Duty = {
    name: 'failing',
    intervalSeconds: 60,
    run: () => Promise.reject(new Error('secret')),
  }
  const duties = await registered(failing)
  expect(await runDueDuty(sql, duties)).toMatchObject({
    error: expect.objectContaining({ message: 'secret' }),
  })
  const [view] = await listDuties(sql)
  expect(view).toMatchObject({
    lastOutcome: null,
    nextRunAt: new Date('2026-01-01T00:01:00Z'),
    running: false,
  })
  expect(view?.lastError).not.toContain('secret')
})

test('one whose runner died is taken over, and the late end of the dead changes nothing', async () => {
  const begun = Promise.withResolvers<void>()
  const going = Promise.withResolvers<void>()
  const slow: Duty = {
    name: 'slow',
    intervalSeconds: 60,
    run: async () => {
      begun.resolve()
      await going.promise
      return 'late'
    },
  }
  const duties = await registered(slow)
  const first = runDueDuty(sql, duties)
  await begun.promise
  await clock.set('2026-01-01T00:04:59Z')
  expect(await runDueDuty(sql, [counting('slow', 60)])).toBeNull()
  await clock.set('2026-01-01T00:05:01Z')
  expect(await runDueDuty(sql, [counting('slow', 60)])).toMatchObject({ outcome: { runs: 1 } })
  going.resolve()
  await first
  expect(await listDuties(sql)).toMatchObject([{ lastOutcome: { runs: 1 } }])
})

test('a shorter interval counts at once', async () => {
  const duties = await registered(counting('sweep', 3600))
  await runDueDuty(sql, duties)
  await registerDuties(sql, [counting('sweep', 60)])
  expect(await listDuties(sql)).toMatchObject([{ nextRunAt: new Date('2026-01-01T00:01:00Z') }])
})

test('a scheduler leaves alone what only others know', async () => {
  await registered(counting('newer', 60))
  expect(await runDueDuty(sql, [counting('sweep', 60)])).toBeNull()
})
