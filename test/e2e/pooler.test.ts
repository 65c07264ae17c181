import { beforeAll, describe, expect, test } from 'vitest'
import { chaosJobs, openLedger } from '../support/ledger.ts'
import { pgbouncer, startPooler } from '../support/pooler.ts'
import { startServer, type TestServer } from '../support/server.ts'
import { until } from '../support/until.ts'

describe.skipIf(pgbouncer === null)('behind PgBouncer in transaction mode', () => {
  let server: TestServer
  let pooled: string
  beforeAll(async () => {
    const environment = { JOBS_DIR: chaosJobs, LEASE_DURATION_SECONDS: '6' }
    server = await startServer({ workers: 0, environment })
    pooled = await startPooler(server.database.url)
  })
  const ledger = openLedger()

  test.each([
    ['with a line of its own for LISTEN', true],
    ['by polling alone', false],
  ])('a worker claims, renews, cancels and limits, %s', async (_how, listens) => {
    const direct: Record<string, string> = listens ? { DATABASE_LISTEN_URL: server.database.url } : {}
    const worker = await server.startWorker({ DATABASE_URL: pooled, ...direct })
    const jobs = await Promise.all(Array.from({ length: 20 }, () => server.enqueue('echo')))
    const keyed = await Promise.all(
      Array.from({ length: 5 }, () => server.enqueue('echo', {}, { concurrencyKey: 'k' })),
    )
    const delayed = await server.enqueue('echo', {}, { delaySeconds: 1 })
    for (const job of [...jobs, ...keyed, delayed]) {
      expect(await job.reaches('succeeded')).toMatchObject({ attempts: 1, workerId: worker.name })
    }
    const endless = await server.enqueue('chaos.tick', { ledger: ledger.path, seconds: 600 })
    await endless.reaches('running')
    const leaseEnd = async () => {
      const [row] = await server.database.sql<{ at: Date }[]>`
        select lease_expires_at as at from job_server.jobs where id = ${endless.id}`
      return row?.at.getTime() ?? 0
    }
    const first = await leaseEnd()
    await until('its lease to be renewed', async () => (await leaseEnd()) > first)
    await server.request('POST', `/v1/jobs/${endless.id}/cancel`)
    await endless.reaches('cancelled')
    await worker.stop(60)
  })
})
