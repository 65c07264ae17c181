import { beforeEach, expect, test } from 'vitest'
import { redrive } from '../../../../core/dead-letters/redrive.ts'
import { finish } from '../../../../core/queue/finish.ts'
import { removeOldDeadLetters } from '../../../../core/upkeep/old-dead-letters.ts'
import { testDatabase } from '../../../support/database.ts'
import { failedWith, testQueue } from '../../../support/queue.ts'

const { sql } = await testDatabase()
const queue = await testQueue(sql)
const month = { retentionDays: 30, limit: 10 }

beforeEach(async () => {
  await sql`truncate job_server.jobs, job_server.dead_letters`
})

/** @returns its id */
async function letterOf(days: number): Promise<string> {
  const jobId = await queue.enqueue()
  const { lease } = await queue.claimOne()
  await finish(sql, [{ lease, end: { ...failedWith('boom'), retry: false } }])
  const [letter] = await sql<{ id: string }[]>`
    update job_server.dead_letters set moved_to_dlq_at = now() - make_interval(days => ${days})
    where original_job_id = ${jobId}
    returning id`
  return letter?.id ?? ''
}

async function left(): Promise<string[]> {
  const letters = await sql<{ id: string }[]>`select id from job_server.dead_letters order by moved_to_dlq_at`
  return letters.map(({ id }) => id)
}

test('dead letters past retention go, redriven or not, and younger ones stay', async () => {
  const redriven = await letterOf(32)
  await letterOf(31)
  const young = await letterOf(29)
  await redrive(sql, [redriven])
  expect(await removeOldDeadLetters(sql, month)).toBe(2)
  expect(await left()).toEqual([young])
})

test('the oldest go first, as many at a time as are asked for', async () => {
  const older = await letterOf(31)
  await letterOf(33)
  const old = await letterOf(30)
  expect(await removeOldDeadLetters(sql, { ...month, limit: 1 })).toBe(1)
  expect(await left()).toEqual([older, old])
})

test('one that is being redriven is passed by', async () => {
  const locked = await letterOf(32)
  await letterOf(31)
  await sql.begin(async (tx) => {
    await tx`select from job_server.dead_letters where id = ${locked} for update`
    expect(await removeOldDeadLetters(sql, month)).toBe(1)
  })
  expect(await left()).toEqual([locked])
})
