import { Hono } from 'hono'
import pino from 'pino'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { ApiEnv } from '../../../api/app.ts'
import { answerProblem } from '../../../api/problem.ts'
import { healthRoutes } from '../../../api/routes/health.ts'
import { openPool } from '../../../core/db.ts'
import { testDatabase } from '../../support/database.ts'
import { openLine } from '../../support/line.ts'
import { testStorage } from '../../support/storage.ts'

const { url } = await testDatabase()
const { storage } = await testStorage()

test('it counts as dead while the database has owed an answer for a minute, and lives again with the answer', async () => {
  const line = await openLine(url)
  const sql = openPool({ DATABASE_URL: line.url, DATABASE_POOL_SIZE: 1 }, 'test')
  onTestFinished(() => sql.end({ timeout: 1 }))
  const now = performance.now.bind(performance)
  let laterMs = 0
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now() + laterMs)
  onTestFinished(() => clock.mockRestore())
  const app = new Hono<ApiEnv>()
  app.use(async (c, next) => {
    c.set('log', pino({ level: 'silent' }))
    await next()
  })
  app.onError(answerProblem)
  app.route('/', healthRoutes({ readiness: sql, storage }))
  const statusOf = async (path: string) => (await app.request(path)).status

  expect(await statusOf('/readyz')).toBe(200)
  laterMs += 60_000
  expect(await statusOf('/healthz'), 'nobody has asked').toBe(200)
  const statements = line.statements()
  line.cut()
  const ready = statusOf('/readyz')
  expect(await statusOf('/healthz')).toBe(200)
  laterMs += 60_000
  expect(await statusOf('/healthz')).toBe(503)
  line.mend()
  expect(await ready).toBe(200)
  expect(await statusOf('/healthz')).toBe(200)
  expect(line.statements(), 'nothing more was asked').toBe(statements + 1)
})
