import pino from 'pino'
import { afterAll, expect, test } from 'vitest'
import { openPool } from '../../../core/db.ts'
import { newId } from '../../../core/ids.ts'
import { createStorage } from '../../../core/storage/client.ts'
import { sourceKey } from '../../../core/storage/keys.ts'
import { passingTracer } from '../../../core/trace/tracer.ts'
import { listDuties } from '../../../core/upkeep/duties.ts'
import { dutiesOf } from '../../../scheduler/duties.ts'
import { tick } from '../../../scheduler/tick.ts'
import { testDatabase } from '../../support/database.ts'
import { openSilentLine } from '../../support/silent-line.ts'
import { testStorage } from '../../support/storage.ts'
import { storeSource } from '../../support/stored-sources.ts'

const { sql, url } = await testDatabase()
const { storage, config: storageConfig } = await testStorage()
const line = await openSilentLine(storageConfig.S3_ENDPOINT ?? '')
const config = {
  HISTORY_RETENTION_DAYS: 30,
  DEAD_LETTER_RETENTION_DAYS: 30,
  SOURCE_RETENTION_DAYS: 30,
  OUTPUT_RETENTION: 'history' as const,
  METRICS_NAMESPACE: undefined,
}
const log = pino({ level: 'silent' })
/** As the function has it. */
const only = openPool({ DATABASE_URL: url, DATABASE_POOL_SIZE: 1 }, 'test')
afterAll(() => only.end({ timeout: 1 }))
const duties = dutiesOf({
  sql: only,
  storage: createStorage({ ...storageConfig, S3_ENDPOINT: line.url }),
  config,
  log,
})
const webhooks = { retrySeconds: [1], disableAfterSeconds: 60 }

/** How long the storage is waited for, and more than a tick that is told to end takes. */
const answerMs = 30_000
const tickSeconds = 5

test.each([
  {
    request: 'list',
    name: 'stray-outputs',
    prepare: () => sql`
      insert into job_server.stray_outputs (lease_epoch, job_id, remove_after) values (1, ${newId()}, now())`,
    done: { attempts: 1, parts: 0 },
  },
  {
    request: 'remove',
    name: 'idle-sources',
    prepare: () => storeSource(sql, storage, 100),
    done: { removed: 1, inUse: 0 },
  },
  {
    request: 'abort a multipart upload',
    name: 'uploads',
    prepare: async () => {
      const id = newId()
      const key = sourceKey(id)
      const multipartId = await storage.createMultipart(key, { contentType: 'video/mp4' })
      await sql`
        insert into job_server.uploads (
          id, object_key, filename, content_type, size_bytes, multipart_id, part_size_bytes, expires_at
        )
        values (${id}, ${key}, 'clip.mp4', 'video/mp4', 5, ${multipartId}, 5, now() - interval '1 hour')`
    },
    done: { removed: 1 },
  },
])(
  'a storage that does not answer when it is to $request does not keep a tick of one connection from its end',
  {
    timeout: answerMs * 2,
  },
  async ({ name, prepare, done }) => {
    await sql`truncate job_server.upkeep_duties, job_server.stray_outputs, job_server.uploads`
    const some = ['tallies', name, 'hooks'].map((wanted) => duties.find((duty) => duty.name === wanted))
    const ours = some.filter((duty) => duty !== undefined)
    const pass = () =>
      tick({ sql: only, duties: ours, webhooks, tracer: passingTracer, log }, { seconds: tickSeconds })
    await prepare()
    line.fallSilentAfter(0, 'up')
    const startedAt = performance.now()
    const first = await pass()
    expect(performance.now() - startedAt).toBeLessThan(answerMs / 2)
    expect(line.isSilent).toBe(true)
    expect(first).toMatchObject({ duties: 2 })
    const views = await listDuties(sql)
    expect(views.map(({ running, lastError }) => ({ running, lastError }))).toEqual(
      views.map(() => ({ running: false, lastError: null })),
    )
    // Given back.
    expect(views.find((view) => view.name === 'hooks')).toMatchObject({ lastStartedAt: null })

    await sql`update job_server.upkeep_duties set next_run_at = now()`
    expect(await pass()).toMatchObject({ duties: 3 })
    expect((await listDuties(sql)).find((view) => view.name === name)).toMatchObject({ lastOutcome: done })
  },
)
