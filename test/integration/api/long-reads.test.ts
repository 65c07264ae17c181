import { expect, onTestFinished, test } from 'vitest'
import { openPool, readBounded } from '../../../core/db.ts'
import { testApp } from '../../support/app.ts'
import { testDatabase } from '../../support/database.ts'
import { testStorage } from '../../support/storage.ts'

const database = await testDatabase()
const { sql } = database
const bucket = await testStorage()

test('a read has twenty seconds, or what the session has where that is less', async () => {
  const limitIn = (tx: typeof sql) => readBounded(tx, (bounded) => bounded`show statement_timeout`)
  expect(await limitIn(sql)).toEqual([{ statementTimeout: '20s' }])
  expect(await sql`show statement_timeout`, 'afterwards').toEqual([{ statementTimeout: '0' }])
  expect(await limitIn(openLimited(300))).toEqual([{ statementTimeout: '300ms' }])
  expect(await limitIn(openLimited(300_000))).toEqual([{ statementTimeout: '20s' }])
})

test.each(['/v1/jobs', '/v1/jobs?total=false', '/v1/dlq'])(
  '%s that takes too long is ended, and says so',
  async (path) => {
    const { request } = await testApp({ database, bucket }, { sql: openLimited(300) })
    const held = Promise.withResolvers<void>()
    const taken = Promise.withResolvers<void>()
    const holding = sql.begin(async (tx) => {
      await tx`lock table job_server.job_history, job_server.dead_letters in access exclusive mode`
      taken.resolve()
      await held.promise
    })
    await taken.promise
    const answer = await request('GET', path)
    expect(answer.status).toBe(503)
    expect(await answer.json()).toMatchObject({ code: 'busy', detail: expect.stringContaining('narrow') })
    held.resolve()
    await holding
    expect((await request('GET', path)).status).toBe(200)
  },
)

function openLimited(statementTimeoutMs: number) {
  const pool = openPool(
    { DATABASE_URL: `${database.url}?statement_timeout=${statementTimeoutMs}`, DATABASE_POOL_SIZE: 1 },
    'test',
  )
  onTestFinished(() => pool.end({ timeout: 1 }))
  return pool
}
