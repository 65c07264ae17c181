import { pino } from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { openPool, type Pool } from '../../../core/db.ts'
import { finish } from '../../../core/queue/finish.ts'
import type { Lease } from '../../../core/queue/row.ts'
import { Reporter } from '../../../worker/reporter.ts'
import { testDatabase } from '../../support/database.ts'
import { openLine } from '../../support/line.ts'
import { testQueue } from '../../support/queue.ts'
import { until } from '../../support/until.ts'

const { sql, url } = await testDatabase()
const queue = await testQueue(sql)

/** @param failed called for each write that failed */
function reporting(pool: Pool, { leaseSeconds = 60, failed = () => {} } = {}): Reporter {
  const log = pino({ level: 'warn' }, { write: () => failed() })
  return new Reporter(pool, log, { leaseSeconds })
}

async function claimed(): Promise<Lease> {
  await queue.enqueue()
  return (await queue.claimOne()).lease
}

function addAll(reporter: Reporter, lease: Lease): void {
  reporter.add(lease, { type: 'checkpoint', run: 0, value: 7 })
  reporter.add(lease, { type: 'event', run: 0, eventType: 'last', payload: {} })
  reporter.addLine(lease, {
    stream: 'stdout',
    level: null,
    at: new Date(),
    text: 'the last line',
    fields: null,
  })
}

async function writtenOf({ jobId }: Lease) {
  const [row] = await sql`
    select
      (select checkpoint from job_server.jobs where id = ${jobId}) as checkpoint,
      (select count(*)::int from job_server.events where job_id = ${jobId} and event_type = 'last') as events,
      (select count(*)::int from job_server.logs where job_id = ${jobId}) as lines`
  return row
}
const all = { checkpoint: 7, events: 1, lines: 1 }

test('what a job reported last is settled only when it is written, though the database was away', async () => {
  const line = await openLine(url)
  const byLine = openPool({ DATABASE_URL: line.url, DATABASE_POOL_SIZE: 1 }, 'test')
  onTestFinished(() => byLine.end({ timeout: 1 }))
  let failures = 0
  const reporter = reporting(byLine, {
    failed: () => {
      // Report and lines have failed, and once more.
      if (++failures === 4) void line.restore()
    },
  })
  const lease = await claimed()
  await byLine`select 1`
  line.drop()
  addAll(reporter, lease)
  await reporter.settle(lease)
  expect(failures).toBeGreaterThanOrEqual(4)
  await finish(sql, [{ lease, end: { kind: 'snoozed', seconds: 3600 } }])
  expect(await writtenOf(lease)).toEqual(all)
})

test('a lock that another holds on one job keeps only the reports of this one waiting', async () => {
  const reporter = reporting(sql)
  const [held, free] = [await claimed(), await claimed()]
  const settling = await sql.begin(async (tx) => {
    await tx`select from job_server.jobs where id = ${held.jobId} for update`
    addAll(reporter, held)
    addAll(reporter, free)
    const settled = { held: false }
    const settling = reporter.settle(held).then(() => {
      settled.held = true
    })
    await reporter.settle(free)
    expect(await writtenOf(free)).toEqual(all)
    expect(settled.held).toBe(false)
    return { settling }
  })
  await settling.settling
  expect(await writtenOf(held)).toEqual(all)
})

test('what the database can never write holds up no end, and takes no report of others along', async () => {
  const reporter = reporting(sql)
  const impossible = { jobId: 'no id', epoch: '0' }
  const lease = await claimed()
  reporter.add(impossible, { type: 'checkpoint', run: 0, value: 7 })
  addAll(reporter, lease)
  await Promise.all([reporter.settle(impossible), reporter.settle(lease)])
  expect(await writtenOf(lease)).toEqual(all)
})

test('reports under a lease that is gone hold up nothing', async () => {
  const reporter = reporting(sql)
  const lease = await claimed()
  await finish(sql, [{ lease, end: { kind: 'snoozed', seconds: 3600 } }])
  addAll(reporter, lease)
  await reporter.settle(lease)
  expect(await writtenOf(lease)).toEqual({ checkpoint: null, events: 0, lines: 0 })
})

test('an end waits no longer than a lease, though the database gives no answer', async () => {
  const line = await openLine(url)
  const byLine = openPool({ DATABASE_URL: line.url, DATABASE_POOL_SIZE: 1 }, 'test')
  onTestFinished(() => byLine.end({ timeout: 1 }))
  const reporter = reporting(byLine, { leaseSeconds: 0.5 })
  const lease = await claimed()
  await byLine`select 1`
  line.cut()
  addAll(reporter, lease)
  await reporter.settle(lease)
  expect(await writtenOf(lease)).toEqual({ checkpoint: null, events: 0, lines: 0 })
  line.mend()
  await until('the answer', async () => (await writtenOf(lease))?.lines === 1)
})
