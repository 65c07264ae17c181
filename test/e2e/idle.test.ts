import { expect, test } from 'vitest'
import { openLine } from '../support/line.ts'
import { startServer } from '../support/server.ts'

const server = await startServer({ workers: 0 })
const observedMs = 12_000

test('an idle worker sends at most one statement a second', async () => {
  const line = await openLine(server.database.url)
  await server.startWorker({
    DATABASE_URL: line.url,
    POLL_INTERVAL_SECONDS: '5',
    LEASE_DURATION_SECONDS: '15',
  })
  await (await server.enqueue('echo')).reaches('succeeded')
  const before = line.statements()
  expect(before).toBeGreaterThan(5)
  // A rate shows over time only.
  await Bun.sleep(observedMs)
  const sent = line.statements() - before
  expect(sent).toBeGreaterThan(0)
  expect(sent).toBeLessThanOrEqual(observedMs / 1000)
})
