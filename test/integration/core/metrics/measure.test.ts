import { expect, test } from 'vitest'
import { measure } from '../../../../core/metrics/measure.ts'
import { finish } from '../../../../core/queue/finish.ts'
import { pauseQueue, resumeQueue } from '../../../../core/queues/pause.ts'
import { beat } from '../../../../core/workers/beat.ts'
import { testDatabase } from '../../../support/database.ts'
import { failedWith, testQueue } from '../../../support/queue.ts'

const { sql } = await testDatabase()
const queue = await testQueue(sql)

test('an idle fleet measures nothing', async () => {
  expect(await measure(sql)).toEqual({
    waitingJobs: 0,
    runningJobs: 0,
    wantedSlots: 0,
    oldestWaitingSeconds: 0,
    unservedJobs: 0,
    workers: 0,
    slots: 0,
    deadLetters: 0,
  })
})

test('what could be claimed waits, and what is due later or paused does not', async () => {
  await queue.enqueue()
  await queue.enqueue({ queue: 'other' })
  await queue.enqueue({ delaySeconds: 3600 })
  await sql`update job_server.jobs set turn_at = now() - interval '100 seconds' where state = 'ready'`
  const before = await measure(sql)
  expect(before).toMatchObject({ waitingJobs: 2, runningJobs: 0 })
  expect(before.oldestWaitingSeconds).toBeGreaterThanOrEqual(100)
  await pauseQueue(sql, 'other')
  expect(await measure(sql)).toMatchObject({ waitingJobs: 1 })
  await resumeQueue(sql, 'other')
})

test('what runs, and what failed for good, is counted', async () => {
  const { lease } = await queue.claimOne()
  expect(await measure(sql)).toMatchObject({ waitingJobs: 1, runningJobs: 1, deadLetters: 0 })
  await finish(sql, [{ lease, end: { ...failedWith('broken'), retry: false } }])
  expect(await measure(sql)).toMatchObject({ waitingJobs: 1, runningJobs: 0, deadLetters: 1 })
})

test('workers that live bring their slots, silent ones and schedulers none', async () => {
  await beat(sql, { id: 'one', kind: 'worker', slots: 4, info: {} })
  await beat(sql, { id: 'two', kind: 'worker', slots: 2, info: {} })
  await beat(sql, { id: 'three', kind: 'scheduler', slots: 0, info: {} })
  expect(await measure(sql)).toMatchObject({ workers: 2, slots: 6 })
  await sql`update job_server.workers set heartbeat_at = now() - interval '46 seconds' where id = 'two'`
  expect(await measure(sql)).toMatchObject({ workers: 1, slots: 4 })
})
