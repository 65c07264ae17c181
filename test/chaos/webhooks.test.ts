/**
 * Schedulers, workers and the API are killed while jobs end and webhooks are told of them. Each end makes one delivery,
 * and each delivery arrives; what arrives twice, as an answer that was lost with its worker, has the same id.
 */
import { expect, test } from 'vitest'
import { testReceiver, verify } from '../support/receiver.ts'
import { testSchedulers } from '../support/schedulers.ts'
import { startServer } from '../support/server.ts'
import { until } from '../support/until.ts'

const environment = {
  WEBHOOK_ALLOWED_HOSTS: '127.0.0.1',
  WEBHOOK_RETRY_SECONDS: '0.2,0.2,0.2,0.2,0.2,0.2,0.2,0.2,0.2',
  SCHEDULER_LEASE_SECONDS: '1',
  LEASE_DURATION_SECONDS: '4',
}
const receiver = await testReceiver({
  // Long enough for a worker to be killed between the answer and its record.
  '/slow': (response, _, count) =>
    setTimeout(() => response.writeHead(count % 7 === 0 ? 500 : 200).end(), 50),
})
const server = await startServer({ workers: 2, environment })
const schedulers = testSchedulers(server.database.url, environment)
await Promise.all([schedulers.start(), schedulers.start()])

test('each end is told to each webhook by one delivery, whoever is killed', async () => {
  const made = await Promise.all(
    ['/quick', '/slow'].map(async (path) => {
      const response = await server.request('POST', '/v1/webhooks', { url: receiver.url(path) })
      return { path, ...((await response.json()) as { webhookId: string; secret: string }) }
    }),
  )
  const ids: string[] = []
  for (let round = 0; round < 4; round++) {
    const jobs = Array.from({ length: 15 }, () => ({ definitionKey: 'echo' }))
    const response = await server.request('POST', '/v1/jobs/bulk', { jobs })
    const answer = (await response.json()) as { jobs: { jobId: string }[] }
    ids.push(...answer.jobs.map(({ jobId }) => jobId))
    await until('some of them to be told', () => receiver.at('/quick').length > round * 10)
    schedulers.all.at(-2)?.signal('SIGKILL')
    server.workers.at(-2)?.signal('SIGKILL')
    await Promise.all([server.restartApi('SIGKILL'), schedulers.start(), server.startWorker()])
  }
  for (const { path, webhookId, secret } of made) {
    const deliveries = await until(
      `all to be delivered to ${path}`,
      async () => {
        const url = `/v1/webhooks/${webhookId}/deliveries?status=delivered&limit=1000`
        const page = await (await server.request('GET', url)).json()
        return page.deliveries.length >= ids.length && page.deliveries
      },
      60,
    )
    const toldOf = deliveries.map(({ jobId }: { jobId: string }) => jobId)
    expect(toldOf.sort()).toEqual([...ids].sort())
    const arrived = new Map<string, Set<string>>()
    for (const message of receiver.at(path)) {
      const { data } = verify(message, secret) as { data: { jobId: string } }
      const messageIds = arrived.get(data.jobId) ?? new Set()
      arrived.set(data.jobId, messageIds.add(message.headers['webhook-id'] ?? ''))
    }
    expect([...arrived.keys()].sort()).toEqual([...ids].sort())
    expect([...arrived.values()].filter(({ size }) => size !== 1)).toEqual([])
  }
}, 180_000)
