import { expect, test } from 'vitest'
import { admitWaiting } from '../../../../core/queue/admit.ts'
import { enqueue, enqueueAnother, enqueueMany } from '../../../../core/queue/enqueue.ts'
import { enqueueDeliveries, type Outgoing } from '../../../../core/webhooks/enqueue-deliveries.ts'
import { testDatabase } from '../../../support/database.ts'
import { testQueue } from '../../../support/queue.ts'

const { sql } = await testDatabase()
const queue = await testQueue(sql, {}, { key: 'webhook.deliver', queue: 'webhooks' })
const message = { jobId: null, eventId: null, eventType: 'test', body: '{}' }
const toHost: Outgoing = { ...message, webhookId: null, url: 'https://example.com/hook' }

test('jobs of clients take no places of deliveries, whatever key they name', async () => {
  await sql.begin((tx) => enqueueDeliveries(tx, [toHost], { maxAttempts: 1 }))
  const [delivery] = await sql<{ key: string }[]>`
    select concurrency_key as key from job_server.jobs where definition_key = 'webhook.deliver'`
  const taken = { definitionKey: 'test', concurrencyKey: delivery?.key ?? '' }
  const refused = { code: 'invalid_params', issues: [expect.objectContaining({ path: 'concurrencyKey' })] }
  await expect(enqueue(sql, taken)).rejects.toMatchObject(refused)
  await expect(enqueueAnother(sql, taken)).rejects.toMatchObject(refused)
  await expect(enqueueMany(sql, [{ definitionKey: 'test' }, taken])).rejects.toMatchObject({
    issues: [expect.objectContaining({ path: 'jobs.1.concurrencyKey' })],
  })
  for (const concurrencyKey of ['webhook-host:example.com', 'webhook:stripe'])
    await enqueue(sql, { definitionKey: 'test', concurrencyKey })
  await admitWaiting(sql, null)
  expect(await queue.claim({ queues: ['default'], limit: 10 })).toHaveLength(2)
  await admitWaiting(sql, null)
  expect(await queue.claim({ queues: ['webhooks'], limit: 10 })).toHaveLength(1)
})
