import { expect, test } from 'vitest'
import { createFinishWatch } from '../../../../core/queue/wait.ts'
import { testDatabase } from '../../../support/database.ts'
import { testQueue } from '../../../support/queue.ts'

const { sql } = await testDatabase()
const queue = await testQueue(sql)
/** Longer than a test may take. */
const long = { timeoutMs: 1_000_000, signal: new AbortController().signal }

test('a watch that stops ends all waits, and at once those that come after', async () => {
  const watch = createFinishWatch(sql)
  const [one, other] = [await queue.enqueue(), await queue.enqueue()]
  const waits = [watch.wait(one, long), watch.wait(one, long), watch.wait(other, long)]
  watch.stop()
  watch.stop()
  await Promise.all(waits)
  await watch.wait(other, long)
  const live = await sql`select from job_server.jobs where id in ${sql([one, other])}`
  expect(live, 'the jobs have not ended').toHaveLength(2)
})
