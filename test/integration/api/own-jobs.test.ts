import { expect, test } from 'vitest'
import { newId } from '../../../core/ids.ts'
import { createKey } from '../../../core/keys/create.ts'
import type { Scope } from '../../../core/keys/key.ts'
import { enqueueDeliveries } from '../../../core/webhooks/enqueue-deliveries.ts'
import { testApp } from '../../support/app.ts'
import { testDatabase } from '../../support/database.ts'
import { testQueue } from '../../support/queue.ts'
import { testStorage } from '../../support/storage.ts'

const database = await testDatabase()
const { sql } = database
const bucket = await testStorage()
const queue = await testQueue(sql, {}, { key: 'webhook.deliver', queue: 'webhooks' })
const { request } = await testApp({ database, bucket }, { environment: { HOST: '0.0.0.0' } })

async function callerWith(...scopes: Scope[]) {
  const { secret } = await createKey(sql, { name: scopes.join(' '), scopes })
  return async (method: string, path: string, body?: unknown, headers = {}) =>
    await request(method, path, body, { authorization: `Bearer ${secret}`, ...headers })
}
const [client, admin] = [await callerWith('read', 'enqueue'), await callerWith('admin')]

async function delivery(): Promise<string> {
  const message = { jobId: null, eventId: null, eventType: 'test', body: '{}' }
  const to = { ...message, webhookId: null, url: `https://${newId()}.example/` }
  await sql.begin((tx) => enqueueDeliveries(tx, [to], { maxAttempts: 1 }))
  const [job] = await sql<{ id: string }[]>`
    select id from job_server.jobs where definition_key = 'webhook.deliver' order by id desc limit 1`
  return job?.id ?? ''
}

test('a delivery is cancelled and changed by admins alone', async () => {
  const jobId = await delivery()
  for (const [method, path, body] of [
    ['POST', `/v1/jobs/${jobId}/cancel`],
    ['POST', `/v1/jobs/${jobId}/retry`],
    ['PATCH', `/v1/jobs/${jobId}`, { priority: 9 }],
  ] as const) {
    const refused = await client(method, path, body)
    expect(refused.status, path).toBe(403)
    expect(refused.headers.get('www-authenticate')).toContain('scope="admin"')
  }
  expect((await admin('PATCH', `/v1/jobs/${jobId}`, { priority: 9 })).status).toBe(200)
  expect((await admin('POST', `/v1/jobs/${jobId}/cancel`)).status).toBe(202)
  const own = await queue.enqueue()
  expect((await client('PATCH', `/v1/jobs/${own}`, { priority: 9 })).status).toBe(200)
  expect((await client('POST', `/v1/jobs/${own}/cancel`)).status).toBe(202)
  expect((await client('POST', `/v1/jobs/${newId()}/cancel`)).status).toBe(404)
})

test('what endpoints answered is read by admins alone, in lists and in streams', async () => {
  const since = (await (await admin('GET', '/v1/events')).json()).cursor
  const jobIds = { delivery: await delivery(), own: await queue.enqueue() }
  for (const jobId of Object.values(jobIds)) {
    const payload = { responseStatus: 200, responseBody: 'a secret' }
    await sql`
      insert into job_server.events (job_id, event_type, payload) values (${jobId}, 'answered', ${sql.json(payload)})`
  }
  type Caller = typeof client
  const lists = [`/v1/jobs/${jobIds.delivery}/events`, `/v1/events?queue=webhooks&after=${since}`]
  const answersIn = async (caller: Caller, path: string) => {
    const { events } = await (await caller('GET', path)).json()
    return events.filter(({ eventType }: { eventType: string }) => eventType === 'answered')
  }
  const streamed = async (caller: Caller, path: string) => {
    const accept = { accept: 'text/event-stream' }
    const reader = (await caller('GET', path, undefined, accept)).body?.getReader()
    let text = ''
    while (!text.includes('responseStatus')) text += new TextDecoder().decode((await reader?.read())?.value)
    await reader?.cancel()
    return text
  }
  for (const path of lists) {
    expect(await answersIn(client, path)).toMatchObject([{ payload: { responseStatus: 200 } }])
    expect(JSON.stringify(await answersIn(client, path)), path).not.toContain('a secret')
    expect(JSON.stringify(await answersIn(admin, path)), path).toContain('a secret')
    expect(await streamed(client, path), path).not.toContain('a secret')
    expect(await streamed(admin, path), path).toContain('a secret')
  }
  expect(JSON.stringify(await answersIn(client, `/v1/jobs/${jobIds.own}/events`))).toContain('a secret')
})
