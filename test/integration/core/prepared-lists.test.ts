/**
 * What a list has to read depends on how many rows its words find, which no plan for any words can know: in sessions that
 * keep plans, too, what is rare is found without reading what is common.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openPool, prepareWhereDirect } from '../../../core/db.ts'
import { listDeadLetters } from '../../../core/dead-letters/read.ts'
import { redriveMatching } from '../../../core/dead-letters/redrive.ts'
import { newId } from '../../../core/ids.ts'
import { cancelMatching } from '../../../core/queue/cancel.ts'
import type { JobFilter } from '../../../core/queue/filter.ts'
import { listJobs } from '../../../core/queue/list.ts'
import { listDeliveries } from '../../../core/webhooks/deliveries.ts'
import { testDatabase } from '../../support/database.ts'
import { rowsRead } from '../../support/rows-read.ts'

const common = 20_000
/** Older than all others. */
const rare = 5
/** PostgreSQL plans a prepared statement for its values so many times before it may keep a plan for any. */
const asksBefore = 8

const { sql: other, url } = await testDatabase()
const sql = openPool({ DATABASE_URL: url, DATABASE_POOL_SIZE: 1 }, 'test')
afterAll(() => sql.end({ timeout: 5 }))

const webhookIds = { common: newId(), rare: newId() }

beforeAll(async () => {
  const word = "case when is_rare then 'rare' else 'common' end"
  await other.begin(async (tx) => {
    await tx.unsafe(`
      create temporary table given on commit drop as
      select
        n, n <= ${rare} as is_rare, job_server.uuid_v7_floor(now() + n * interval '1 ms') as id,
        job_server.uuid_v7_floor(now() + (n + ${common}) * interval '1 ms') as live_id
      from generate_series(1, ${common}) as n;
      insert into job_server.job_history (
        id, definition_key, definition_version, queue, status, priority, attempts, max_attempts, crash_count, timeout_seconds,
        params, queued_at, finished_at
      )
      select
        id, ${word}, 1, 'default', case when is_rare then 'failed' else 'succeeded' end, 0, 1, 1, 0, 1, '{}', now(), now()
      from given;
      insert into job_server.jobs (
        id, definition_key, definition_version, queue, state, priority, max_attempts, timeout_seconds, params
      )
      select live_id, ${word}, 1, 'default', 'ready', 0, 1, 1, '{}' from given;
      insert into job_server.dead_letters (
        id, original_job_id, definition_key, definition_version, queue, priority, attempts, max_attempts, timeout_seconds,
        params, queued_at, finished_at, moved_to_dlq_at
      )
      select id, id, ${word}, 1, 'default', 0, 1, 1, 1, '{}', now(), now(), now() + n * interval '1 ms' from given;
      insert into job_server.webhooks (id, url, event_types)
      select id, 'https://example.com', array['job.succeeded']
      from unnest(array['${webhookIds.common}', '${webhookIds.rare}']::uuid[]) as webhook (id);
      insert into job_server.webhook_deliveries (id, webhook_id, event_type, body, delivery_job_id)
      select
        id, case when is_rare then '${webhookIds.rare}' else '${webhookIds.common}' end::uuid, 'job.succeeded', '{}', id
      from given;`)
  })
  await other`vacuum analyze`
  await prepareWhereDirect(sql, { DATABASE_PREPARE: 'auto' })
}, 60_000)

const list = (filter: JobFilter) =>
  listJobs(sql, filter, { limit: 100, offset: 0, total: false, lookAt: 5000 })

type Word = 'common' | 'rare'

test.each<{ what: string; ask: (word: Word) => Promise<unknown> }>([
  {
    what: 'failed jobs',
    ask: (word) => list({ status: word === 'common' ? 'succeeded' : 'failed' }),
  },
  { what: 'jobs of a definition', ask: (definitionKey) => list({ definitionKey }) },
  {
    what: 'dead letters of a definition',
    ask: (definitionKey) => listDeadLetters(sql, { definitionKey }, { limit: 100, offset: 0, total: true }),
  },
  {
    what: 'deliveries of a webhook',
    ask: (word) => listDeliveries(sql, { webhookId: webhookIds[word] }, { limit: 100 }),
  },
  {
    what: 'jobs to cancel',
    ask: (definitionKey) => cancelMatching(sql, { definitionKey, queue: 'none' }, { limit: 1 }),
  },
  {
    what: 'dead letters to redrive',
    ask: (definitionKey) => redriveMatching(sql, { definitionKey, errorCode: 'none' }, { limit: 1 }),
  },
])('$what that are few are found among many without reading those', async ({ ask }) => {
  for (let count = 0; count < asksBefore; count++) {
    await ask('common')
    await ask('rare')
  }
  const read = await rowsRead({ sql, other }, () => ask('rare'))
  expect([...read].filter(([, rows]) => rows > 1000)).toEqual([])
  expect([...read.values()].some((rows) => rows >= 1)).toBe(true)
})
