import { expect, test } from 'vitest'
import type { Pool } from '../../../core/db.ts'
import { createLog } from '../../../core/log.ts'
import { beat } from '../../../core/workers/beat.ts'
import { FleetView } from '../../../worker/fleet-view.ts'
import { testDatabase } from '../../support/database.ts'
import { testQueue } from '../../support/queue.ts'

const { sql } = await testDatabase()
const queue = await testQueue(sql, { hasChildren: true })
const log = createLog({ level: 'error', name: 'test' })
const [divisible] = queue.definitions
if (divisible === undefined) throw new Error('no definition')

test('a job that may be divided is told of all workers that live, and of what waits for them', async () => {
  await beat(sql, { id: 'a', kind: 'worker', slots: 4, info: {} })
  await beat(sql, { id: 'b', kind: 'worker', slots: 2, info: {} })
  await beat(sql, { id: 'leader', kind: 'scheduler', slots: 0, info: {} })
  await beat(sql, { id: 'silent', kind: 'worker', slots: 64, info: {} })
  await sql`update job_server.workers set heartbeat_at = now() - interval '1 minute' where id = 'silent'`
  await queue.enqueue()
  await queue.enqueue()
  await queue.claimOne('a')
  expect(await new FleetView(sql, { slots: 4, log }).tell(divisible)).toEqual({ slots: 6, freeSlots: 4 })
})

test('of many that begin at once, one asks', async () => {
  let asked = 0
  const counting = new Proxy(sql, {
    apply: (target, self, statement) => {
      asked++
      return Reflect.apply(target, self, statement)
    },
  }) as Pool
  const view = new FleetView(counting, { slots: 4, log })
  await Promise.all([1, 2, 3].map(() => view.tell(divisible)))
  expect(asked).toBe(1)
  await view.tell({ ...divisible, hasChildren: false })
  expect(asked).toBe(1)
})

test('other jobs are told of their own worker alone, and so are all while the database can not be asked', async () => {
  const broken = (() => Promise.reject(new Error('away'))) as unknown as Pool
  const view = new FleetView(broken, { slots: 4, log })
  const alone = { slots: 4, freeSlots: 0 }
  expect(await view.tell({ ...divisible, hasChildren: false })).toEqual(alone)
  expect(await view.tell(divisible)).toEqual(alone)
})
