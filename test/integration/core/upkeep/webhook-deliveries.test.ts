import { expect, test } from 'vitest'
import { admitWaiting } from '../../../../core/queue/admit.ts'
import { finish } from '../../../../core/queue/finish.ts'
import { removeOldDeliveries } from '../../../../core/upkeep/webhook-deliveries.ts'
import { createWebhook, webhookDefaults } from '../../../../core/webhooks/create.ts'
import { listDeliveries } from '../../../../core/webhooks/deliveries.ts'
import { sendTest } from '../../../../core/webhooks/redeliver.ts'
import { testDatabase } from '../../../support/database.ts'
import { failedWith, testQueue } from '../../../support/queue.ts'

const { sql } = await testDatabase()
const queue = await testQueue(sql, { key: 'webhook.deliver', queue: 'webhooks' }, { key: 'test' })
const { webhook } = await createWebhook(sql, { ...webhookDefaults, url: 'https://example.com/' })

/** As if it had been made so many days ago. */
async function age(deliveryId: string, days: number): Promise<void> {
  await sql`
    update job_server.webhook_deliveries set id = job_server.uuid_v7_floor(now() - make_interval(days => ${days}::int))
    where id = ${deliveryId}`
}

test('deliveries past retention are removed, but not while they are on their way', async () => {
  const old = await sendTest(sql, webhook.id)
  await admitWaiting(sql, null)
  const failed = await queue.claimOne()
  await finish(sql, [{ lease: failed.lease, end: { ...failedWith('endpoint_failed'), retry: false } }])
  const underWay = await sendTest(sql, webhook.id)
  const young = await sendTest(sql, webhook.id)
  await age(old, 31)
  await age(underWay, 32)
  await sql`
    insert into job_server.job_webhooks (job_id, url)
    values (job_server.uuid_v7_floor(now() - interval '31 days'), 'https://a/'), (gen_random_uuid(), 'https://b/')`
  await sql`
    update job_server.dead_letters set original_job_id = job_server.uuid_v7_floor(now() - interval '31 days')`

  expect(await removeOldDeliveries(sql, { retentionDays: 30 })).toBe(1)
  const { deliveries } = await listDeliveries(sql, { webhookId: webhook.id }, { limit: 10 })
  expect(deliveries.map(({ status }) => status)).toEqual(['pending', 'pending'])
  expect(deliveries[0]?.id).toBe(young)
  expect(await sql`select url from job_server.job_webhooks`).toMatchObject([{ url: 'https://b/' }])
  expect(await sql`select from job_server.dead_letters`).toHaveLength(0)
})

test('the address of a job that waited longer than history is kept stays while it can be told of or tried again', async () => {
  const waited = await sql<
    { id: string }[]
  >`select job_server.uuid_v7_floor(now() - interval '40 days') as id`
  const id = waited[0]?.id ?? ''
  await sql`truncate job_server.jobs`
  const jobId = await queue.enqueue({ definitionKey: 'test' })
  await sql`update job_server.jobs set id = ${id} where id = ${jobId}`
  await sql`insert into job_server.job_webhooks (job_id, url) values (${id}, 'https://late/')`
  const { lease } = await queue.claimOne()
  await finish(sql, [{ lease, end: { ...failedWith('broken'), retry: false } }])
  const addresses = async () => {
    await removeOldDeliveries(sql, { retentionDays: 30 })
    return await sql`select url from job_server.job_webhooks where job_id = ${id}`
  }

  expect(await addresses()).toHaveLength(1)
  await sql`update job_server.job_webhooks set told_at = now() where job_id = ${id}`
  await sql`delete from job_server.job_history where id = ${id}`
  // It is a dead letter: redriven, it is told of.
  expect(await addresses()).toHaveLength(1)
  await sql`delete from job_server.dead_letters where original_job_id = ${id}`
  expect(await addresses()).toHaveLength(0)
})
