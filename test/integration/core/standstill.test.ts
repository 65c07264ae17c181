/**
 * Who is paused in the middle of a transaction keeps its locks: PostgreSQL ends each of ours after a while. And a connection
 * that was idle meanwhile may be dead.
 */
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { openPool, type Pool } from '../../../core/db.ts'
import { newId } from '../../../core/ids.ts'
import { enqueue, enqueueMany } from '../../../core/queue/enqueue.ts'
import { finishWithChildren } from '../../../core/queue/finish.ts'
import { runNow } from '../../../core/schedules/run-now.ts'
import { updateSchedule } from '../../../core/schedules/update.ts'
import { enqueueAddition } from '../../../core/videos/additions.ts'
import { testDatabase } from '../../support/database.ts'
import { testQueue } from '../../support/queue.ts'
import { testSchedule } from '../../support/schedules.ts'
import { openSilentLine } from '../../support/silent-line.ts'
import { until } from '../../support/until.ts'

const { sql, url } = await testDatabase()
const line = await openSilentLine(url)
const queue = await testQueue(sql)
const hourly = await testSchedule(sql, { expression: '0 * * * *' })

beforeEach(async () => {
  await sql`truncate job_server.jobs, job_server.idempotency_keys`
})

/** @returns after how much each transaction that `use` begins would be ended, as it is when its work is done */
async function limitsOf(use: (pool: Pool) => Promise<unknown>): Promise<string[]> {
  const limits: string[] = []
  const begin = (work: (tx: unknown) => Promise<unknown>) =>
    sql.begin(async (tx) => {
      const result = await work(tx)
      const [row] = await tx<{ limit: string }[]>`
        select current_setting(
          case
            when current_setting('server_version_num')::int >= 170000 then 'transaction_timeout'
            else 'idle_in_transaction_session_timeout'
          end
        ) as limit`
      limits.push(row?.limit ?? '')
      return result
    })
  await use(new Proxy(sql, { get: (pool, name) => (name === 'begin' ? begin : Reflect.get(pool, name)) }))
  return limits
}

const one = { definitionKey: 'test' }

test.each<{ who: string; use: (pool: Pool) => Promise<unknown> }>([
  {
    who: 'who enqueues what depends on another',
    use: async (pool) => await enqueue(pool, { ...one, dependsOn: [await queue.enqueue()] }),
  },
  {
    who: 'who enqueues several with keys',
    use: (pool) =>
      enqueueMany(
        pool,
        [1, 2].map((n) => ({ ...one, idempotencyKey: `k${n}` })),
      ),
  },
  {
    who: 'who goes on after children',
    use: async (pool) => {
      await queue.enqueue()
      const { lease } = await queue.claimOne()
      await finishWithChildren(pool, lease, { jobs: [one], onFailure: 'fail' })
    },
  },
  { who: 'who adds outputs to a video', use: (pool) => enqueueAddition(pool, newId(), one) },
  { who: 'who runs a schedule by hand', use: (pool) => runNow(pool, hourly.id) },
  {
    who: 'who changes a schedule',
    use: (pool) => updateSchedule(pool, hourly.id, { priority: 1 }, { minPeriodSeconds: 1 }),
  },
])('$who', async ({ use }) => {
  expect(await limitsOf(use)).toEqual(['1min'])
})

test('a transaction of the caller is left as it is', async () => {
  await sql.begin(async (tx) => {
    await enqueueMany(
      tx,
      [1, 2].map((n) => ({ ...one, idempotencyKey: `k${n}` })),
    )
    expect(
      await tx`
        select coalesce(current_setting('transaction_timeout', true), '0') as whole, current_setting('idle_in_transaction_session_timeout') as idle`,
    ).toEqual([{ whole: '0', idle: '0' }])
  })
})

describe('of a pool with one connection, which was idle for too long and is dead', {
  timeout: 30_000,
}, () => {
  async function openIdle(): Promise<Pool> {
    const byLine = new URL(url)
    byLine.host = new URL(line.url).host
    const config = { DATABASE_URL: byLine.href, DATABASE_POOL_SIZE: 1 }
    const pool = openPool(config, 'test', { idleSeconds: 1 })
    onTestFinished(() => pool.end({ timeout: 1 }))
    await pool`select 1`
    // Whatever is said next goes nowhere.
    line.fallSilentAfter(0, 'up')
    return pool
  }

  test('a statement is answered when its goodbye is not', async () => {
    const pool = await openIdle()
    await until('the goodbye', () => line.isSilent)
    expect(await pool`select 1 as one`).toEqual([{ one: 1 }])
  })

  test('a statement that comes before any timer of a process that stood still is answered', async () => {
    const pool = await openIdle()
    Bun.sleepSync(1500)
    expect(await pool`select 1 as one`).toEqual([{ one: 1 }])
    expect(line.isSilent, 'the goodbye').toBe(true)
  })
})
