import { expect, test } from 'vitest'
import { stage } from '../../../../core/queue/stage.ts'
import { testDatabase } from '../../../support/database.ts'
import { testQueue } from '../../../support/queue.ts'

const { sql } = await testDatabase()
const queue = await testQueue(sql)
const leaseEnd = async (leases: boolean) => (await stage(sql, { limit: 10, leases })).nextLeaseEndInSeconds

test('who asks is told when the next lease ends; one that has run out is for rescue', async () => {
  expect(await leaseEnd(true)).toBeNull()
  for (const leaseSeconds of [900, 600, 300]) {
    await queue.enqueue()
    await queue.claim({ leaseSeconds })
  }
  await sql`
    update job_server.jobs set lease_expires_at = now() - interval '1 second'
    where lease_expires_at < now() + interval '400 seconds'`
  const seconds = await leaseEnd(true)
  expect(seconds).toBeGreaterThan(400)
  expect(seconds).toBeLessThanOrEqual(600)
  expect(await leaseEnd(false)).toBeNull()
})
