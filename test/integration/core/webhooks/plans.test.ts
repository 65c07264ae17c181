/** What telling webhooks reads must not grow with what has happened before, nor with what was sent. */
import { beforeAll, expect, test } from 'vitest'
import { newId } from '../../../../core/ids.ts'
import { finish } from '../../../../core/queue/finish.ts'
import { lead } from '../../../../core/schedules/lead.ts'
import { createWebhook, webhookDefaults } from '../../../../core/webhooks/create.ts'
import { listDeliveries } from '../../../../core/webhooks/deliveries.ts'
import { dispatchWebhooks } from '../../../../core/webhooks/dispatch.ts'
import { prepareDelivery } from '../../../../core/webhooks/prepare.ts'
import { testDatabase } from '../../../support/database.ts'
import { observePlans, pagesOf, wholeTablesRead } from '../../../support/plans.ts'
import { testQueue } from '../../../support/queue.ts'

const { sql, url } = await testDatabase()
const observed = observePlans(sql, url)
const queue = await testQueue(sql, {}, { key: 'webhook.deliver', queue: 'webhooks' })
/** What the first statements find is there again when they are explained; what others write is not to be written twice. */
const reading = /^\s*(with (look|held)|select)[\s\S]*job_server\./
/** Tables in which there is much. */
let big = /^/
const options = { retrySeconds: [1], disableAfterSeconds: 60 }
const { webhook } = await createWebhook(sql, { ...webhookDefaults, url: 'https://example.com/' })

beforeAll(async () => {
  await sql`
    insert into job_server.events (job_id, event_type)
    select job_server.uuid_v7_floor(now() - n * interval '1 second'), case n % 3 when 0 then 'succeeded' else 'progress' end
    from generate_series(1, 50000) as n`
  await sql`
    insert into job_server.webhook_deliveries (id, webhook_id, job_id, event_id, event_type, body, delivery_job_id)
    select job_server.uuid_v7_floor(now() - n * interval '1 second'), ${webhook.id}, gen_random_uuid(), -n, 'job.succeeded', '{}',
      job_server.uuid_v7_floor(now() - n * interval '1 second')
    from generate_series(1, 20000) as n`
  await sql`
    insert into job_server.job_history (
      id, definition_key, definition_version, queue, status, priority, attempts, max_attempts, crash_count, timeout_seconds,
      params, queued_at, finished_at
    )
    select delivery_job_id, 'webhook.deliver', 1, 'webhooks', 'succeeded', 0, 1, 1, 0, 60, '{}', now(), now()
    from job_server.webhook_deliveries`
  for (const table of ['events', 'webhook_deliveries', 'job_history'])
    await sql`vacuum analyze job_server.${sql(table)}`
  const filled = await sql<{ name: string }[]>`
    select relname as name from pg_class
    where relnamespace = 'job_server'::regnamespace and relkind = 'r' and reltuples > 1000`
  big = new RegExp(`^(${filled.map(({ name }) => name).join('|')})$`)
  await dispatchWebhooks(sql, options)
})

/** @param pages of each statement, at most */
async function expectFrugal(run: () => Promise<unknown>, pages: number): Promise<void> {
  const plans = await observed.plansOf(run, reading)
  expect(plans.length).toBeGreaterThan(0)
  for (const plan of plans) {
    expect(wholeTablesRead(plan, big)).toEqual([])
    expect(pagesOf(plan)).toBeLessThan(pages)
  }
}

async function endJob(): Promise<void> {
  await queue.enqueue()
  const { lease } = await queue.claimOne()
  await finish(sql, [{ lease, end: { kind: 'succeeded', result: null } }])
}

test('the look of a leader whether there is news reads next to nothing, and tells it', async () => {
  const look = () => lead(observed.sql, 'a', { leaseSeconds: 6, duties: [] })
  await dispatchWebhooks(sql, options)
  expect((await look()).hasNews).toBe(false)
  await expectFrugal(look, 60)
  await endJob()
  expect((await look()).hasNews).toBe(true)
  await expectFrugal(look, 60)
  await dispatchWebhooks(sql, options)
  // The delivery that was enqueued is news once more, if none to tell.
  await dispatchWebhooks(sql, options)
  expect((await look()).hasNews).toBe(false)
})

test('what is told reads what is new', async () => {
  await endJob()
  await expectFrugal(() => dispatchWebhooks(observed.sql, options), 150)
})

test('a request is made from a few rows', async () => {
  const { deliveries } = await listDeliveries(sql, { webhookId: webhook.id }, { limit: 1 })
  const config = { secret: undefined, allowedHosts: [], retrySeconds: [1], timeoutSeconds: 1 }
  await expectFrugal(() => prepareDelivery(observed.sql, deliveries[0]?.id ?? newId(), 1, config), 20)
})

test('a page of the log is read as such', async () => {
  await expectFrugal(() => listDeliveries(observed.sql, { webhookId: webhook.id }, { limit: 20 }), 1000)
})

test('a statement that does read whole tables would be found', async () => {
  const run = () => observed.sql`select count(*) from job_server.webhook_deliveries where body = 'x'`
  const [plan] = await observed.plansOf(run, /webhook_deliveries/)
  if (plan === undefined) throw new Error('no plan')
  expect(wholeTablesRead(plan, big)).toEqual(['webhook_deliveries by Seq Scan'])
})
