import { expect, test } from 'vitest'
import { exposition, family, histogram } from '../../../../core/metrics/exposition.ts'
import { readReported } from '../../../../core/metrics/reported.ts'
import { beat } from '../../../../core/workers/beat.ts'
import { testDatabase } from '../../../support/database.ts'
import { parseExposition } from '../../../support/exposition.ts'

const { sql } = await testDatabase()
const worker = { kind: 'worker', slots: 1, info: {} } as const
const done = (value: number) => family('counter', 'done_total', 'What is done.', [{ value }])

test('what each worker tells of itself is told by its name, once, until it is silent', async () => {
  const waits = histogram('wait_seconds', 'Waits.', [{ labels: {}, le: 0.5, count: 2, sum: 0.3 }])
  await beat(sql, { ...worker, id: 'a', metrics: [done(1)] })
  await beat(sql, { ...worker, id: 'a', metrics: [done(2), waits] })
  await beat(sql, { ...worker, id: 'b "quoted"', metrics: [done(3)] })
  await beat(sql, { ...worker, id: 'from before', info: {} })
  await beat(sql, { ...worker, id: 'silent', metrics: [done(4)] })
  await sql`update job_server.workers set heartbeat_at = now() - interval '1 minute' where id = 'silent'`
  const families = await readReported(sql)
  expect(Object.fromEntries(parseExposition(exposition(families)))).toEqual({
    'done_total{worker="a"}': 2,
    'done_total{worker="b \\"quoted\\""}': 3,
    'wait_seconds_bucket{worker="a",le="0.5"}': 2,
    'wait_seconds_bucket{worker="a",le="+Inf"}': 2,
    'wait_seconds_sum{worker="a"}': 0.3,
    'wait_seconds_count{worker="a"}': 2,
  })
})

test('a worker of another version that means something else by a name does not spoil the rest', async () => {
  await beat(sql, { ...worker, id: 'c', metrics: [family('gauge', 'done_total', 'Other.', [{ value: 9 }])] })
  const text = exposition(await readReported(sql))
  expect([...parseExposition(text).keys()]).not.toContain('done_total{worker="c"}')
})
