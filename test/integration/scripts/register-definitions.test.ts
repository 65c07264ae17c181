import { expect, test } from 'vitest'
import { listDefinitions } from '../../../core/definitions/read.ts'
import { testDatabase } from '../../support/database.ts'
import { jobDirectory, jobFile } from '../../support/job-files.ts'
import { testQueue } from '../../support/queue.ts'
import { run } from '../../support/run.ts'

const { sql, url } = await testDatabase()

test('--prune removes what no file defines and nobody needs, says what stays, and nothing while a file is broken', async () => {
  const queue = await testQueue(sql, { key: 'send.mail' }, { key: 'busy' }, { key: 'webhook.deliver' })
  await queue.enqueue({ definitionKey: 'busy' })
  await sql`update job_server.definitions set registered_at = now() - interval '1 hour'`
  const files = await jobDirectory({
    'mail.send.ts': jobFile({ key: 'mail.send' }),
    'broken.ts': 'export default 1',
  })
  const prune = () =>
    run([process.execPath, '--no-env-file', 'scripts/register-definitions.ts', '--prune'], {
      environment: { DATABASE_URL: url, JOBS_DIR: files.path },
    })
  const keys = async () => (await listDefinitions(sql)).map(({ key }) => key)

  expect(await prune()).toMatchObject({ status: 1 })
  expect(await keys()).toEqual(expect.arrayContaining(['busy', 'mail.send', 'send.mail']))

  await files.remove('broken.ts')
  const { status, errors, output } = await prune()
  expect({ status, errors }).toEqual({ status: 0, errors: '' })
  expect(output).toContain('removed send.mail@1\n')
  expect(output).toContain('kept busy@1: one of its jobs has not ended\n')
  expect(output.match(/^(removed|kept) /gm)).toHaveLength(2)
  const left = await keys()
  expect(left).toEqual(expect.arrayContaining(['busy', 'echo', 'mail.send']))
  expect(left).not.toContain('send.mail')
})
