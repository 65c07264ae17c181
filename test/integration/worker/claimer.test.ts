/** Claims of one worker while a transaction is left open, and when it has ended. */
import { pino } from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { enqueueMany } from '../../../core/queue/enqueue.ts'
import { finish } from '../../../core/queue/finish.ts'
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

test('slow claims go over to cursors, what comes back is told of, and all is as before when vacuum has been', async () => {
  let found = 0
  const claimer = new Claimer({
    sql,
    served: () => request,
    found: () => {
      found++
    },
    log: pino({ level: 'silent' }),
  })
  onTestFinished(() => claimer.stop())
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
