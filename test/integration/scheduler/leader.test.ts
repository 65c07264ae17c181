import pino from 'pino'
import { afterEach, expect, test } from 'vitest'
import { lead } from '../../../core/schedules/lead.ts'
import { SilenceWatch } from '../../../core/silence-watch.ts'
import { passingTracer } from '../../../core/trace/tracer.ts'
import { type Duty, listDuties } from '../../../core/upkeep/duties.ts'
import { Scheduler } from '../../../scheduler/leader.ts'
import { tick } from '../../../scheduler/tick.ts'
import { testDatabase } from '../../support/database.ts'
import { testQueue } from '../../support/queue.ts'
import { testSchedule } from '../../support/schedules.ts'
import { until } from '../../support/until.ts'

const { sql } = await testDatabase()
await testQueue(sql)
const webhooks = { retrySeconds: [1], disableAfterSeconds: 60 }
const log = pino({ level: 'silent' })
const tracer = passingTracer

const schedulers: Scheduler[] = []
afterEach(async () => {
  await Promise.all(schedulers.map((scheduler) => scheduler.stop()))
  await sql`truncate job_server.upkeep_duties, job_server.leases, job_server.schedules, job_server.schedule_fires`
})

/** Begins, and goes on until it is let go. */
function holding(name: string) {
  const begun = Promise.withResolvers<void>()
  const letGo = Promise.withResolvers<void>()
  const duty: Duty = {
    name,
    // So that none is due again because a minute has begun.
    intervalSeconds: 3600,
    run: async () => {
      begun.resolve()
      await letGo.promise
      return null
    },
  }
  return { duty, begun: begun.promise, letGo: () => letGo.resolve() }
}

const quick = (name: string, ran: string[]): Duty => ({
  name,
  intervalSeconds: 3600,
  run: async () => ran.push(name),
})

function started(duties: Duty[]): Scheduler {
  const scheduler = new Scheduler({
    id: 'one',
    leaseSeconds: 60,
    info: { pid: 1, bun: '1' },
    ownMetrics: () => [],
    silence: new SilenceWatch({ seconds: 60, onSilent: () => {} }),
    ...{ sql, duties, webhooks, tracer, log },
  })
  schedulers.push(scheduler)
  scheduler.start()
  return scheduler
}

test('one that stops lets another lead at once, and do what it has not begun, however long its upkeep takes', async () => {
  const ran: string[] = []
  const { duty: long, begun, letGo } = holding('long')
  const scheduler = started([long, quick('hourly', ran)])
  await begun
  expect(await lead(sql, 'two', { leaseSeconds: 60, duties: [] })).toMatchObject({ epoch: null })
  const stopping = scheduler.stop()
  await until('another to lead', async () => {
    return (await lead(sql, 'two', { leaseSeconds: 60, duties: [] })).epoch !== null
  })
  await until('the duty to be given back', async () => {
    return (await listDuties(sql)).some(({ name, running }) => name === 'hourly' && !running)
  })
  expect(ran).toEqual([])
  letGo()
  await stopping
  expect(await listDuties(sql)).toMatchObject([{ lastStartedAt: null }, { name: 'long', running: false }])
})

test('a tick whose time is over begins no other duty, and leaves it to the next', async () => {
  const ran: string[] = []
  const { duty: long, begun, letGo } = holding('long')
  const duties = [long, quick('hourly', ran)]
  const first = tick({ sql, duties, webhooks, tracer, log }, { seconds: 0.5 })
  await begun
  await until('the duty to be given back', async () => {
    return (await listDuties(sql)).some(({ name, running }) => name === 'hourly' && !running)
  })
  letGo()
  expect(await first).toMatchObject({ duties: 1 })
  expect(ran).toEqual([])
  expect(await tick({ sql, duties, webhooks, tracer, log }, { seconds: 40 })).toMatchObject({ duties: 1 })
  expect(ran).toEqual(['hourly'])
})

test('a tick that has far more to fire than its time lets it still comes to the upkeep', async () => {
  const ran: string[] = []
  for (let n = 0; n < 120; n++) await testSchedule(sql, { expression: 'every 1d' })
  await sql`update job_server.schedules set due_at = now(), next_fire_at = now()`
  const ticked = await tick({ sql, duties: [quick('hourly', ran)], webhooks, tracer, log }, { seconds: 0 })
  expect(ticked.enqueued).toBeLessThan(120)
  expect(ran).toEqual(['hourly'])
})
