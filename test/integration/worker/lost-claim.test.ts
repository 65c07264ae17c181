/** A claim that was carried out, and whose answer was lost with the connection. */
import { pino } from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { Claimer } from '../../../worker/claimer.ts'
import { testDatabase } from '../../support/database.ts'
import { openLossyPool } from '../../support/lost-answer.ts'
import { testQueue } from '../../support/queue.ts'

const { sql, url } = await testDatabase()
const queue = await testQueue(sql)

/** By a connection that breaks before the answer to a claim is here. */
async function breaking(workerId: string) {
  const lossy = await openLossyPool(url)
  onTestFinished(() => lossy.pool.end())
  const served = { definitions: queue.definitions, queues: [] }
  const claimer = new Claimer({
    sql: lossy.pool,
    served: () => served,
    found: () => {},
    log: pino({ level: 'silent' }),
  })
  const claim = (limit: number) =>
    claimer.claim({ ...served, workerId, limit, leaseSeconds: 60 }, { limited: false })
  const loseClaim = async (limit: number) => {
    lossy.loseAnswer()
    await expect(claim(limit)).rejects.toThrow()
    expect(lossy.isToLose).toBe(false)
  }
  return { claimer, claim, loseClaim, pool: lossy.pool }
}

const outcomes = async () =>
  await sql`
  select job_id, worker_id, outcome from job_server.attempts order by ended_at, job_id`

test('jobs of a claim whose answer was lost go back uncharged before the next claim', async () => {
  const { claimer, claim, loseClaim } = await breaking('first')
  const known = await queue.enqueue({ maxAttempts: 1 })
  const others = await queue.enqueue({ maxAttempts: 1 })
  const [running] = await claim(1)
  const [elsewhere] = await queue.claim({ workerId: 'w2' })
  expect([running?.lease.jobId, elsewhere?.lease.jobId]).toEqual([known, others])
  const lost = [await queue.enqueue({ maxAttempts: 1 }), await queue.enqueue({ maxAttempts: 1 })]
  await loseClaim(2)
  const again = await claim(5)
  expect(again.map(({ lease, attempt }) => ({ jobId: lease.jobId, attempt }))).toEqual(
    lost.map((jobId) => ({ jobId, attempt: 1 })),
  )
  expect(await outcomes()).toEqual(
    lost.map((jobId) => ({ jobId, workerId: 'first', outcome: 'interrupted' })),
  )
  // Nothing is given back twice.
  expect(await claim(5)).toEqual([])
  await claimer.stop()
  expect(await outcomes()).toHaveLength(2)
})

test('they go back when the worker stops, too', async () => {
  const { claimer, loseClaim } = await breaking('second')
  const jobId = await queue.enqueue({ maxAttempts: 1 })
  await loseClaim(1)
  await claimer.stop()
  const [again] = await queue.claim({ workerId: 'w2' })
  expect(again).toMatchObject({ attempt: 1, lease: { jobId } })
})

test('one that another of the same name keeps alive stays with it', async () => {
  const { claimer, loseClaim } = await breaking('third')
  const jobId = await queue.enqueue()
  await loseClaim(1)
  await sql`update job_server.jobs set heartbeat_at = now() where id = ${jobId}`
  await claimer.stop()
  expect(await queue.claim({ workerId: 'w2' })).toEqual([])
})

test('a claim that is refused takes nothing back: the database says that it did nothing', async () => {
  const { claimer, claim, pool } = await breaking('fourth')
  await queue.enqueue()
  const [ofAnother] = await queue.claim({ workerId: 'fourth' })
  expect(ofAnother).toBeDefined()
  await sql.begin(async (tx) => {
    await tx`lock table job_server.jobs in access exclusive mode`
    await pool`set lock_timeout = '100ms'`
    await expect(claim(1)).rejects.toMatchObject({ code: '55P03' })
  })
  await claimer.stop()
  expect(await sql`select worker_id, state from job_server.jobs where worker_id = 'fourth'`).toEqual([
    { workerId: 'fourth', state: 'running' },
  ])
})
