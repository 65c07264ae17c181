/** Claims of one worker while a transaction is left open, and when it has ended. */
import { pino } from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { enqueueMany } from '../../../core/queue/enqueue.ts'
import { finish } from '../../../core/queue/finish.ts'
import { stage } from '../../../core/queue/stage.ts'
import { Claimer } from '../../../worker/claimer.ts'
import { testDatabase } from '../../support/database.ts'
import { leaveDead, openTransaction } from '../../support/open-transaction.ts'
import { testQueue } from '../../support/queue.ts'
import { until } from '../../support/until.ts'

/** To read past them takes longer than a claim may before it counts as slow, on any machine. */
const dead = 30_000

const { sql } = await testDatabase()
const { definitions } = await testQueue(sql)
const request = { workerId: 'w1', definitions, queues: [], limit: 2, leaseSeconds: 60 }

/** So many that a claim of theirs counts as slow among few, on any machine. */
const many = 4000

function newClaimer(found = () => {}): Claimer {
  const claimer = new Claimer({ sql, served: () => request, found, log: pino({ level: 'silent' }) })
  onTestFinished(() => claimer.stop())
  return claimer
}

test('slow claims go over to cursors, what comes back is told of, and all is as before when vacuum has been', async () => {
  let found = 0
  const claimer = newClaimer(() => {
    found++
  })
  const claim = () => claimer.claim(request, { limited: false })
  const inputs = Array.from({ length: 20 }, () => ({ definitionKey: 'test' }))
  const transaction = await openTransaction(sql)
  await leaveDead(sql, dead)
  await enqueueMany(sql, inputs)
  await sql`update job_server.jobs set turn_at = turn_at - interval '1 minute'`

  const [first] = await claim()
  expect(claimer.cursors).toBeUndefined()
  await claim()
  expect(claimer.cursors).toBeDefined()
  await until('a cursor', () => JSON.stringify(claimer.cursors?.ranges ?? null).includes('"id":"'))
  expect(await claim()).toHaveLength(2)

  if (first === undefined) throw new Error('nothing was claimed')
  await finish(sql, [{ lease: first.lease, end: { kind: 'interrupted' } }])
  await until('a look to find what came back', () => found > 0)
  const [again] = await claim()
  expect(again?.lease.jobId).toBe(first.lease.jobId)

  await transaction.close()
  await until('lanes to be read from their heads again', async () => {
    await sql`vacuum job_server.jobs`
    return claimer.cursors === undefined
  })
  expect(await claim()).toHaveLength(2)
})

test('claims among very many lanes take long by themselves: they stay with the heads', async () => {
  await sql`
    insert into job_server.lanes (queue, definition_key, definition_version)
    select 'queue-' || n, 'test', 1 from generate_series(1, ${many}) as n`
  onTestFinished(async () => {
    await sql`delete from job_server.lanes where queue <> 'default'`
  })
  await sql`analyze job_server.lanes`
  const { lanes } = await stage(sql, { limit: 100 })
  expect(lanes).toBeGreaterThan(many)
  await enqueueMany(
    sql,
    Array.from({ length: 20 }, () => ({ definitionKey: 'test' })),
  )

  const claimer = newClaimer()
  for (let claims = 0; claims < 5; claims++) {
    // So many that no machine is too slow for them.
    expect(await claimer.claim(request, { limited: false, lanes: 10 * lanes })).toHaveLength(2)
  }
  expect(claimer.cursors).toBeUndefined()

  const unaware = newClaimer()
  await until('the same claims to count as slow', async () => {
    await unaware.claim(request, { limited: false })
    return unaware.cursors !== undefined
  })
})
