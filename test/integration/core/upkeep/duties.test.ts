import { beforeEach, expect, test } from 'vitest'
import { type Duty, listDuties, registerDuties, runDueDuties } from '../../../../core/upkeep/duties.ts'
import { testClock } from '../../../support/clock.ts'
import { until } from '../../../support/until.ts'

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
  expect(await runDueDuties(sql, duties)).toMatchObject([{ name: 'sweep', outcome: { runs: 1 } }])
  expect(await runDueDuties(sql, duties)).toEqual([])
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
    await runDueDuties(sql, duties)
  }
  expect(sweep.runs).toBe(4)
})

test('of many who look at once, one runs it', async () => {
  const sweep = counting('sweep', 60)
  const duties = await registered(sweep)
  const done = await Promise.all(Array.from({ length: 5 }, () => runDueDuties(sql, duties)))
  expect(done.flat()).toHaveLength(1)
  expect(sweep.runs).toBe(1)
})

test('one that fails is recorded, and comes again in its time', async () => {
  const failing: Duty = {
    name: 'failing',
    intervalSeconds: 60,
    run: () => Promise.reject(new Error('secret')),
  }
  const duties = await registered(failing)
  expect(await runDueDuties(sql, duties)).toMatchObject([
    { error: expect.objectContaining({ message: 'secret' }) },
  ])
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
  const first = runDueDuties(sql, duties)
  await begun.promise
  await clock.set('2026-01-01T00:04:59Z')
  expect(await runDueDuties(sql, [counting('slow', 60)])).toEqual([])
  await clock.set('2026-01-01T00:05:01Z')
  expect(await runDueDuties(sql, [counting('slow', 60)])).toMatchObject([{ outcome: { runs: 1 } }])
  going.resolve()
  await first
  expect(await listDuties(sql)).toMatchObject([{ lastOutcome: { runs: 1 } }])
})

test('all that are due are run in their order, and one that fails keeps none from it', async () => {
  const order: string[] = []
  const noting = (name: string): Duty => ({
    name,
    intervalSeconds: 60,
    run: async () => {
      order.push(name)
      if (name === 'second') throw new Error('broken')
      return { name }
    },
  })
  const later = counting('later', 60)
  const duties = await registered(noting('first'), noting('second'), noting('third'), later)
  await sql`update job_server.upkeep_duties set next_run_at = now() + interval '1 hour' where name = 'later'`
  await runDueDuties(sql, duties)
  expect(order).toEqual(['first', 'second', 'third'])
  const views = (await listDuties(sql)).map(({ name, lastOutcome, running }) => ({
    name,
    lastOutcome,
    running,
  }))
  expect(views).toEqual([
    { name: 'first', lastOutcome: { name: 'first' }, running: false },
    { name: 'later', lastOutcome: null, running: false },
    { name: 'second', lastOutcome: null, running: false },
    { name: 'third', lastOutcome: { name: 'third' }, running: false },
  ])
})

test('a duty may rest for longer after a run that found nothing to do', async () => {
  let found = 3
  const folding: Duty<number> = {
    name: 'folding',
    intervalSeconds: 10,
    run: async () => found,
    rest: { seconds: 30, after: (count) => count === 0 },
  }
  const duties = await registered(folding)
  await clock.set('2026-01-01T00:00:02Z')
  await runDueDuties(sql, duties)
  expect(await listDuties(sql)).toMatchObject([{ nextRunAt: new Date('2026-01-01T00:00:10Z') }])
  found = 0
  await clock.set('2026-01-01T00:00:10Z')
  await runDueDuties(sql, duties)
  expect(await listDuties(sql)).toMatchObject([{ nextRunAt: new Date('2026-01-01T00:00:30Z') }])
})

test('a shorter interval counts at once', async () => {
  const duties = await registered(counting('sweep', 3600))
  await runDueDuties(sql, duties)
  await registerDuties(sql, [counting('sweep', 60)])
  expect(await listDuties(sql)).toMatchObject([{ nextRunAt: new Date('2026-01-01T00:01:00Z') }])
})

test('a scheduler leaves alone what only others know', async () => {
  await registered(counting('newer', 60))
  expect(await runDueDuties(sql, [counting('sweep', 60)])).toEqual([])
})

/** Begins, and goes on until it is let go; notes whether it was told to end. */
function holding(name: string) {
  const begun = Promise.withResolvers<void>()
  const letGo = Promise.withResolvers<void>()
  const duty = {
    name,
    intervalSeconds: 60,
    wasTold: false,
    run: async (signal?: AbortSignal) => {
      // Where claiming took long, its time may be over when it begins.
      duty.wasTold ||= signal?.aborted ?? false
      signal?.addEventListener('abort', () => {
        duty.wasTold = true
      })
      begun.resolve()
      await letGo.promise
      return null
    },
  }
  return { duty, begun: begun.promise, letGo: () => letGo.resolve() }
}

test('one that does not come to an end is given up and recorded as failed, and the next runs', async () => {
  const { duty: endless, letGo } = holding('endless')
  const sweep = counting('sweep', 60)
  const duties = await registered(endless, sweep)
  const runs = await runDueDuties(sql, duties, { giveUpSeconds: 0.2 })
  expect(runs).toMatchObject([
    { name: 'endless', error: expect.objectContaining({ message: expect.stringContaining('given up') }) },
    { name: 'sweep', outcome: { runs: 1 } },
  ])
  expect(await listDuties(sql)).toMatchObject([
    { name: 'endless', running: true, lastError: expect.any(String) },
    { name: 'sweep', running: false },
  ])
  letGo()
})

test('one that was given up and goes on is not begun beside itself, and another process takes it up when its claim is over', async () => {
  const { duty: endless, letGo } = holding('endless')
  const duties = await registered(endless)
  await runDueDuties(sql, duties, { giveUpSeconds: 0.2 })
  await clock.set('2026-01-01T00:04:59Z')
  expect(await runDueDuties(sql, [counting('endless', 60)])).toEqual([])
  await clock.set('2026-01-01T00:06:00Z')
  expect(await runDueDuties(sql, duties)).toEqual([])
  expect(await runDueDuties(sql, [counting('endless', 60)])).toMatchObject([{ outcome: { runs: 1 } }])
  letGo()
  await clock.set('2026-01-01T00:07:00Z')
  expect(await runDueDuties(sql, duties)).toMatchObject([{ name: 'endless', error: undefined }])
})

test('what was done is recorded before one is begun that may take long', async () => {
  const { duty: long, begun, letGo } = holding('long')
  const duties = await registered(counting('quick', 60), { ...long, mayTakeLong: true })
  const pass = runDueDuties(sql, duties)
  await begun
  expect(await listDuties(sql)).toMatchObject([
    { name: 'long', running: true },
    { name: 'quick', running: false, lastOutcome: { runs: 1 } },
  ])
  letGo()
  await pass
})

test('who stops gives back at once what it has not begun, and tells what runs to end', async () => {
  const { duty: long, begun, letGo } = holding('long')
  const hourly = counting('hourly', 3600)
  const duties = await registered(long, hourly)
  const stopping = new AbortController()
  const first = runDueDuties(sql, duties, { signal: stopping.signal })
  await begun
  expect(await runDueDuties(sql, duties)).toEqual([])
  stopping.abort()
  await until('the duty to be given back', async () => {
    const view = (await listDuties(sql)).find(({ name }) => name === 'hourly')
    return view?.running === false
  })
  // The other still runs, and another scheduler need not wait for it.
  expect(await listDuties(sql)).toMatchObject([{ lastStartedAt: null }, { name: 'long', running: true }])
  expect(await runDueDuties(sql, [hourly])).toMatchObject([{ outcome: { runs: 1 } }])
  expect(long.wasTold).toBe(true)
  letGo()
  expect(await first).toMatchObject([{ name: 'long' }])
  expect(await runDueDuties(sql, duties, { signal: stopping.signal })).toEqual([])
})

test('what a long one leaves no time for comes first the next time', async () => {
  const { duty: long, letGo } = holding('long')
  const order: string[] = []
  const noting = (name: string): Duty => ({ name, intervalSeconds: 60, run: async () => order.push(name) })
  const duties = await registered(long, noting('late'))
  const first = runDueDuties(sql, duties, { passSeconds: 0.1 })
  await until('the long one to be told', () => long.wasTold)
  letGo()
  expect(await first).toMatchObject([{ name: 'long' }])
  await clock.set('2026-01-01T00:01:00Z')
  await runDueDuties(sql, [noting('long'), noting('late')])
  expect(order).toEqual(['late', 'long'])
})

test('what fleets are scaled by comes before what has been due for longer', async () => {
  const order: string[] = []
  const noting = (name: string): Duty => ({ name, intervalSeconds: 60, run: async () => order.push(name) })
  const duties = await registered(noting('late'), { ...noting('measures'), comesFirst: true })
  await sql`
    update job_server.upkeep_duties set next_run_at = now() - interval '10 minutes' where name = 'late'`
  await runDueDuties(sql, duties)
  expect(order).toEqual(['measures', 'late'])
})
