import pino from 'pino'
import { expect, test } from 'vitest'
import { dutiesOf } from '../../../scheduler/duties.ts'
import { testDatabase } from '../../support/database.ts'
import { testStorage } from '../../support/storage.ts'

const { sql } = await testDatabase()
const { storage } = await testStorage()
const duties = dutiesOf({
  sql,
  storage,
  config: {
    HISTORY_RETENTION_DAYS: 30,
    DEAD_LETTER_RETENTION_DAYS: 30,
    SOURCE_RETENTION_DAYS: 30,
    OUTPUT_RETENTION: 'history',
    METRICS_NAMESPACE: undefined,
  },
  log: pino({ level: 'silent' }),
})

test('all keys past their time go in one run, however many came at once', async () => {
  const expired = 25_000
  await sql`
    insert into job_server.idempotency_keys (definition_key, kind, key, job_id, params_hash, expires_at)
    select 'test', 'client', n, gen_random_uuid(), '', now() - interval '1 second'
    from generate_series(1, ${expired}) as n`
  const duty = duties.find(({ name }) => name === 'idempotency-keys')
  expect(await duty?.run()).toEqual({ removed: expired })
})
