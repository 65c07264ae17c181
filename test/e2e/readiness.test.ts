import { expect, test } from 'vitest'
import { waitsForLock } from '../support/database.ts'
import { startServer } from '../support/server.ts'

const server = await startServer({ workers: 0, environment: { DATABASE_POOL_SIZE: '1' } })
const { sql } = server.database

test('who asks whether the API is ready does not wait behind lists that take long', async () => {
  const held = Promise.withResolvers<void>()
  const taken = Promise.withResolvers<void>()
  const holding = sql.begin(async (tx) => {
    await tx`lock table job_server.job_history in access exclusive mode`
    taken.resolve()
    await held.promise
  })
  await taken.promise
  const list = server.request('GET', '/v1/jobs')
  await waitsForLock(sql)
  const ready = server.request('GET', '/readyz').then(({ status }) => status)
  const late = new Promise((resolve) => setTimeout(resolve, 5000, 'not yet'))
  expect(await Promise.race([ready, late])).toBe(200)
  held.resolve()
  await holding
  expect((await list).status).toBe(200)
})
