import { beforeEach, describe, expect, test } from 'vitest'
import { admitWaiting } from '../../../../core/queue/admit.ts'
import { cancel } from '../../../../core/queue/cancel.ts'
import { enqueue } from '../../../../core/queue/enqueue.ts'
import { finish } from '../../../../core/queue/finish.ts'
import { report } from '../../../../core/queue/report.ts'
import { createWebhook, webhookDefaults } from '../../../../core/webhooks/create.ts'
import { listDeliveries } from '../../../../core/webhooks/deliveries.ts'
import { dispatchWebhooks } from '../../../../core/webhooks/dispatch.ts'
import { readWebhook } from '../../../../core/webhooks/read.ts'
import type { WebhookSettings } from '../../../../core/webhooks/row.ts'
import { updateWebhook } from '../../../../core/webhooks/update.ts'
import { testDatabase, waitsForLock } from '../../../support/database.ts'
import { failedWith, testQueue } from '../../../support/queue.ts'

const { sql } = await testDatabase()
const queue = await testQueue(
  sql,
  {},
  { key: 'webhook.deliver', queue: 'webhooks', concurrencyKeyLimit: 1000 },
)
const disableAfterSeconds = 3600
const dispatch = () => dispatchWebhooks(sql, { retrySeconds: [1, 1], disableAfterSeconds })
const jobs = { queues: ['default'], limit: 1000 }

beforeEach(async () => {
  await sql`delete from job_server.webhooks`
  await sql`delete from job_server.job_webhooks`
  await sql`delete from job_server.jobs`
  await sql`delete from job_server.webhook_deliveries`
})

async function webhook(settings: Partial<WebhookSettings> = {}): Promise<string> {
  const made = await createWebhook(sql, { ...webhookDefaults, url: 'https://example.com/', ...settings })
  return made.webhook.id
}

/** Jobs that succeed, one after the other. @returns their ids */
async function ended(count = 1, result: object | null = null): Promise<string[]> {
  for (let made = 0; made < count; made++) await queue.enqueue()
  const claimed = await queue.claim(jobs)
  await finish(
    sql,
    claimed.map(({ lease }) => ({ lease, end: { kind: 'succeeded', result: result as null } })),
  )
  return claimed.map(({ lease }) => lease.jobId)
}

/** Ids of the jobs that a webhook was to be told of, in the order of the telling. */
async function told(webhookId: string): Promise<(string | null)[]> {
  const { deliveries } = await listDeliveries(sql, { webhookId }, { limit: 10_000 })
  return deliveries.map(({ jobId }) => jobId).reverse()
}

async function bodies(): Promise<{ type: string; data: Record<string, unknown> }[]> {
  const rows = await sql<{ body: string }[]>`select body from job_server.webhook_deliveries order by id`
  return rows.map(({ body }) => JSON.parse(body))
}

/** Attempts of deliveries, each to its end. */
async function attempts(count: number, end: 'succeeded' | 'failed'): Promise<void> {
  for (let done = 0; done < count; done++) {
    await ended()
    await dispatch()
    await admitWaiting(sql, null)
    const [claimed] = await queue.claim({ queues: ['webhooks'] })
    if (claimed === undefined) throw new Error('no delivery')
    const failure = { ...failedWith('endpoint_failed'), retry: false }
    await finish(sql, [
      { lease: claimed.lease, end: end === 'failed' ? failure : { kind: 'succeeded', result: null } },
    ])
  }
  await dispatch()
}

test('a job whose parameters look like those of a delivery holds nothing up', async () => {
  const hook = await webhook()
  await queue.enqueue({ params: { deliveryId: 'not-a-uuid' } })
  const jobIds = await ended()
  await dispatch()
  expect((await told(hook)).sort()).toEqual(jobIds.sort())
})

test('each end is told once to each webhook, however many tell at once', async () => {
  const webhooks = [await webhook(), await webhook()]
  const ids = await ended(20)
  await Promise.all([dispatch(), dispatch(), dispatch(), dispatch()])
  for (const id of webhooks) expect((await told(id)).sort()).toEqual([...ids].sort())
  expect(await dispatch()).toEqual({ deliveries: 0, disabled: [] })
})

test('what does not fit into a page follows in the next, and nothing is told twice', async () => {
  const webhooks = await Promise.all(Array.from({ length: 30 }, () => webhook()))
  const ids = await ended(70)
  expect((await dispatch()).deliveries).toBe(30 * 70)
  for (const id of webhooks) expect((await told(id)).sort()).toEqual([...ids].sort())
})

test('an event that is committed late is told then, though others with greater numbers were told before', async () => {
  const id = await webhook({ eventTypes: ['job.queued'] })
  const late = Promise.withResolvers<void>()
  const written = Promise.withResolvers<string>()
  const transaction = sql.begin(async (tx) => {
    const { job } = await enqueue(tx, { definitionKey: 'test' })
    written.resolve(job.id)
    await late.promise
  })
  const first = await written.promise
  const second = await queue.enqueue()
  await dispatch()
  expect(await told(id)).toEqual([second])
  late.resolve()
  await transaction
  await dispatch()
  await dispatch()
  expect(await told(id)).toEqual([second, first])
})

test('who tells and fails in the midst leaves nothing done, and the next tells all of it', async () => {
  const id = await webhook()
  const ids = await ended(3)
  const held = Promise.withResolvers<void>()
  const isHeld = Promise.withResolvers<void>()
  const holder = sql.begin(async (tx) => {
    await tx`select from job_server.webhook_cursor for update`
    isHeld.resolve()
    await held.promise
  })
  await isHeld.promise
  const failing = dispatch()
  failing.catch(() => {})
  await waitsForLock(sql)
  await sql`
    select pg_cancel_backend(pid) from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock'`
  await expect(failing).rejects.toThrow()
  held.resolve()
  await holder
  expect(await told(id)).toEqual([])
  await dispatch()
  expect((await told(id)).sort()).toEqual([...ids].sort())
})

test('a webhook is told of what is committed after it was made, and after it was enabled again', async () => {
  const first = await webhook()
  await ended()
  const second = await webhook()
  const [job] = await ended()
  await updateWebhook(sql, first, { enabled: false })
  await updateWebhook(sql, first, { enabled: true })
  await dispatch()
  expect(await told(first)).toEqual([])
  expect(await told(second)).toEqual([job])
  // Enabling what is enabled loses nothing.
  const [other] = await ended()
  await updateWebhook(sql, first, { enabled: true })
  await dispatch()
  expect(await told(first)).toEqual([other])
})

test('who has listened for longest counts, also when the numbers of transactions get longer', async () => {
  const oldest = await webhook()
  const [job] = await ended()
  // Before the other in time, behind it in the order of text.
  await sql`update job_server.webhooks set since = '9:9:'`
  await webhook()
  await dispatch()
  expect(await told(oldest)).toEqual([job])
})

test('a webhook that is made while others are told of something is told of what comes then', async () => {
  await webhook()
  const locked = Promise.withResolvers<void>()
  const isMade = Promise.withResolvers<void>()
  const holder = sql.begin(async (tx) => {
    await tx`lock table job_server.events in access exclusive mode`
    locked.resolve()
    await isMade.promise
    const { job } = await enqueue(tx, { definitionKey: 'test' })
    return job.id
  })
  await locked.promise
  const dispatching = dispatch()
  await waitsForLock(sql)
  const late = await webhook({ eventTypes: ['job.queued'] })
  isMade.resolve()
  const jobId = await holder
  await dispatching
  await dispatch()
  expect(await told(late)).toEqual([jobId])
})

test('while nobody listens nothing is read or written', async () => {
  const position = async () => (await sql`select position, xmin::text from job_server.webhook_cursor`)[0]
  const before = await position()
  await ended(5)
  expect(await dispatch()).toEqual({ deliveries: 0, disabled: [] })
  expect(await position()).toEqual(before)
})

test('deliveries are no news themselves', async () => {
  await webhook({ eventTypes: ['job.queued', 'job.started', 'job.succeeded'] })
  await attempts(2, 'succeeded')
  const said = await bodies()
  expect(new Set(said.map(({ data }) => data.definitionKey))).toEqual(new Set(['test']))
  expect(said).toHaveLength(6)
})

test('a result above the limit is left out and said to be', async () => {
  await webhook()
  const small = { text: 'x'.repeat(1000) }
  await ended(1, small)
  await ended(1, { text: 'x'.repeat(20_000) })
  await dispatch()
  expect((await bodies()).map(({ data }) => [data.result, data.resultOmitted])).toEqual([
    [small, false],
    [null, true],
  ])
})

test('a job that is cancelled between two attempts is told of with those it had', async () => {
  await webhook()
  const jobId = await queue.enqueue()
  const { lease } = await queue.claimOne()
  await finish(sql, [{ lease, end: { ...failedWith('flop'), retryInSeconds: 1000 } }])
  await cancel(sql, jobId)
  await dispatch()
  expect(await bodies()).toMatchObject([
    { type: 'job.cancelled', data: { status: 'cancelled', attempts: 1, finishedAt: expect.any(String) } },
  ])
})

describe('the address that a job brings', () => {
  test('may be as long as it likes, and must be one', async () => {
    const jobId = await queue.enqueue({ webhookUrl: `https://${'a'.repeat(1000)}.example.com/` })
    const { lease } = await queue.claimOne()
    await finish(sql, [{ lease, end: { kind: 'succeeded', result: null } }])
    await dispatch()
    expect((await listDeliveries(sql, { jobId }, { limit: 10 })).deliveries).toHaveLength(1)
    await expect(queue.enqueue({ webhookUrl: 'example.com' })).rejects.toThrow(
      'expected an http:// or https:// URL',
    )
  })

  test('is told once, of the end alone', async () => {
    const jobId = await queue.enqueue({ webhookUrl: 'https://example.com/own' })
    await dispatch()
    const { lease } = await queue.claimOne()
    await dispatch()
    await finish(sql, [{ lease, end: failedWith('flop') }])
    await dispatch()
    const again = await queue.claimOne()
    await finish(sql, [{ lease: again.lease, end: { kind: 'succeeded', result: 7 } }])
    for (let round = 0; round < 3; round++) await dispatch()
    const { deliveries } = await listDeliveries(sql, { jobId }, { limit: 10 })
    expect(deliveries).toMatchObject([{ webhookId: null, eventType: 'job.succeeded', status: 'pending' }])
  })

  test('is told of what the server says, not of what the job calls its own events', async () => {
    const id = await webhook({ eventTypes: ['job.succeeded', 'job.failed', 'job.started'] })
    const jobId = await queue.enqueue({ webhookUrl: 'https://example.com/own' })
    const { lease } = await queue.claimOne()
    const events = ['succeeded', 'failed', 'started'].map((type) => ({ type, payload: { item: 7 } }))
    await report(sql, [{ lease, events }])
    await dispatch()
    const deliveries = async () => (await listDeliveries(sql, { jobId }, { limit: 10 })).deliveries
    expect(await deliveries()).toMatchObject([{ webhookId: id, eventType: 'job.started' }])
    await finish(sql, [{ lease, end: { kind: 'succeeded', result: null } }])
    await dispatch()
    const ends = (await deliveries()).filter(({ eventType }) => eventType === 'job.succeeded')
    expect(ends.map(({ webhookId }) => webhookId).sort()).toEqual([id, null].sort())
    expect(await deliveries()).toHaveLength(3)
  })

  test('is told beside the webhooks that listen', async () => {
    const id = await webhook()
    const jobId = await queue.enqueue({ webhookUrl: 'https://example.com/own' })
    const { lease } = await queue.claimOne()
    await finish(sql, [{ lease, end: { kind: 'succeeded', result: null } }])
    await dispatch()
    const { deliveries } = await listDeliveries(sql, { jobId }, { limit: 10 })
    expect(deliveries.map(({ webhookId }) => webhookId).sort()).toEqual([id, null].sort())
  })
})

describe('a webhook that fails', () => {
  const daysAgo = (id: string, days: number) => sql`
    update job_server.webhooks set failing_since = now() - make_interval(days => ${days}::int) where id = ${id}`

  test('is disabled when nothing succeeded for so long and ten attempts failed', async () => {
    const id = await webhook()
    await attempts(9, 'failed')
    await daysAgo(id, 6)
    await dispatch()
    expect(await readWebhook(sql, id)).toMatchObject({ enabled: true, failures: 9 })
    await attempts(1, 'failed')
    expect(await readWebhook(sql, id)).toMatchObject({
      enabled: false,
      disabledReason: 'failing',
      failures: 10,
    })
  })

  test('is not disabled for ten failures in a short time', async () => {
    const id = await webhook()
    await attempts(11, 'failed')
    expect(await readWebhook(sql, id)).toMatchObject({ enabled: true, failures: 11 })
  })

  test('is forgiven with another URL, and not with the same', async () => {
    const id = await webhook()
    await attempts(9, 'failed')
    await updateWebhook(sql, id, { url: 'https://example.com/' })
    expect(await readWebhook(sql, id)).toMatchObject({ failures: 9 })
    await updateWebhook(sql, id, { url: 'https://example.com/new', enabled: true })
    expect(await readWebhook(sql, id)).toMatchObject({ enabled: true, failures: 0 })
  })

  test('is forgiven by one success', async () => {
    const id = await webhook()
    await attempts(9, 'failed')
    await daysAgo(id, 6)
    await attempts(1, 'succeeded')
    expect(await readWebhook(sql, id)).toMatchObject({
      enabled: true,
      failures: 0,
      failingSince: null,
      lastSuccessAt: expect.any(Date),
    })
    await attempts(1, 'failed')
    expect(await readWebhook(sql, id)).toMatchObject({ enabled: true, failures: 1 })
  })

  test('has what is on the way to it cancelled when it is disabled', async () => {
    const id = await webhook()
    await ended(3)
    await dispatch()
    await attempts(0, 'failed')
    await admitWaiting(sql, null)
    const [claimed] = await queue.claim({ queues: ['webhooks'] })
    if (claimed === undefined) throw new Error('no delivery')
    await finish(sql, [{ lease: claimed.lease, end: { ...failedWith('endpoint_gone'), retry: false } }])
    expect(await dispatch()).toEqual({ deliveries: 0, disabled: [id] })
    const { deliveries } = await listDeliveries(sql, { webhookId: id }, { limit: 10 })
    expect(deliveries.map(({ status }) => status).sort()).toEqual(['cancelled', 'cancelled', 'failed'])
  })
})

test('a database that counts its transactions anew tells of what comes, not of what was', async () => {
  const id = await webhook()
  await ended()
  await sql`update job_server.webhooks set since = '999999999:999999999:'`
  await sql`update job_server.webhook_cursor set position = '999999999:999999999:'`
  await dispatch()
  expect(await told(id)).toEqual([])
  const [job] = await ended()
  await dispatch()
  expect(await told(id)).toEqual([job])
})
