import pino from 'pino'
import { expect, test } from 'vitest'
import { measure } from '../../../core/metrics/measure.ts'
import { dutiesOf } from '../../../scheduler/duties.ts'
import { testDatabase } from '../../support/database.ts'
import { testQueue } from '../../support/queue.ts'
import { testStorage } from '../../support/storage.ts'

const { sql } = await testDatabase()
const { storage } = await testStorage()
const config = {
  HISTORY_RETENTION_DAYS: 30,
  DEAD_LETTER_RETENTION_DAYS: 30,
  SOURCE_RETENTION_DAYS: 30,
  OUTPUT_RETENTION: 'history' as const,
  METRICS_NAMESPACE: undefined,
}
const duties = dutiesOf({ sql, storage, config, log: pino({ level: 'silent' }) })

test('all keys past their time go in one run, however many came at once', async () => {
  const expired = 25_000
  await sql`
    insert into job_server.idempotency_keys (definition_key, kind, key, job_id, params_hash, expires_at)
    select 'test', 'client', n, gen_random_uuid(), '', now() - interval '1 second'
    from generate_series(1, ${expired}) as n`
  const duty = duties.find(({ name }) => name === 'idempotency-keys')
  expect(await duty?.run()).toEqual({ removed: expired })
})

test('what is due, and what its key has room for, is ready though no worker is there: fleets are scaled by that', async () => {
  const queue = await testQueue(sql)
  const due = await queue.enqueue({ delaySeconds: 1000 })
  const later = await queue.enqueue({ delaySeconds: 2000 })
  const keyed = [await queue.enqueue({ concurrencyKey: 'k' }), await queue.enqueue({ concurrencyKey: 'k' })]
  await sql`update job_server.jobs set scheduled_at = now() where id = ${due}`
  await duties.find(({ name }) => name === 'staging')?.run()
  const states = await sql<{ id: string; state: string }[]>`select id, state from job_server.jobs`
  const stateOf = new Map(states.map(({ id, state }) => [id, state]))
  expect([due, later, ...keyed].map((id) => stateOf.get(id))).toEqual([
    'ready',
    'scheduled',
    'ready',
    'blocked',
  ])
  expect(await measure(sql)).toMatchObject({ waitingJobs: 2, workers: 0 })
})

test('what a fleet is scaled by is logged for CloudWatch though the log is told to keep to errors', async () => {
  const lines: string[] = []
  const log = pino({ level: 'error' }, { write: (line: string) => void lines.push(line) })
  const measured = dutiesOf({ sql, storage, config: { ...config, METRICS_NAMESPACE: 'Fleet' }, log })
  await measured.find(({ name }) => name === 'measures')?.run()
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    expect.objectContaining({ msg: 'fleet.measured', waitingJobs: expect.any(Number), slotUsePercent: 0 }),
  ])
})
