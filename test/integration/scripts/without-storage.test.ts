/** The commands that need nothing but the way to the database, with nothing else. */
import { expect, test } from 'vitest'
import { listDefinitions } from '../../../core/definitions/read.ts'
import { testDatabase } from '../../support/database.ts'
import { jobDirectory, jobFile } from '../../support/job-files.ts'
import { run } from '../../support/run.ts'

const { sql, url } = await testDatabase()

const runScript = (script: string, environment: Record<string, string>) =>
  run([process.execPath, '--no-env-file', script], { environment })

test('the schema is migrated', async () => {
  expect(await runScript('scripts/migrate.ts', { DATABASE_URL: url })).toMatchObject({
    status: 0,
    output: 'The schema is up to date.\n',
  })
})

test('definitions are registered, of files that read what JOB_ENVIRONMENT names', async () => {
  const top = "if (process.env.BILLING_URL !== 'here') throw new Error('unseen')"
  const { path } = await jobDirectory({ 'reads.ts': jobFile({ key: 'reads', top }) })
  const registered = await runScript('scripts/register-definitions.ts', {
    DATABASE_URL: url,
    JOBS_DIR: path,
    JOB_ENVIRONMENT: 'BILLING_URL',
    BILLING_URL: 'here',
  })
  expect(registered).toMatchObject({ status: 0, errors: '' })
  expect((await listDefinitions(sql)).map(({ key }) => key)).toContain('reads')
})

test('keys are made and schedules listed', async () => {
  const runWith = (script: string, ...words: string[]) =>
    run([process.execPath, '--no-env-file', script, ...words], { environment: { DATABASE_URL: url } })
  expect(await runWith('scripts/keys.ts', 'create', 'first')).toMatchObject({ status: 0, errors: '' })
  expect(await runWith('scripts/schedules.ts', 'list')).toMatchObject({ status: 0, errors: '' })
})

test('the scheduler, whose upkeep removes objects, says all that it misses', async () => {
  const { status, errors } = await runScript('scheduler/main.ts', { LOG_LEVEL: 'loud' })
  expect(status).toBe(78)
  expect(errors.split('\n')).toEqual([
    "The configuration can't be used as it is:",
    expect.stringMatching(/^DATABASE_URL {2}required, got nothing\. PostgreSQL /),
    expect.stringMatching(/^S3_BUCKET {5}required, got nothing\. Bucket for sources and outputs\.$/),
    expect.stringMatching(/^LOG_LEVEL {5}expected .*, got "loud"$/),
    '',
  ])
})
