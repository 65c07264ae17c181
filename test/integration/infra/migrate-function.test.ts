/** The function that migrates in a deployment, built as it is deployed and run by Node, as AWS Lambda does. */
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, expect, inject, test } from 'vitest'
import { testDatabase } from '../../support/database.ts'
import { nodeBinary } from '../../support/node.ts'
import { run } from '../../support/run.ts'

const { sql, url } = await testDatabase({ empty: true })
const directory = await mkdtemp(join(inject('backend').directory, 'migrate-function-'))
afterAll(() => rm(directory, { recursive: true, force: true }))

/** Calls the handler once. @param databaseUrl whose schema it should mind */
async function call(databaseUrl: string) {
  const program = `const { handler } = await import(${JSON.stringify(join(directory, 'migrate/index.mjs'))})
    console.log(JSON.stringify(await handler()))`
  const environment = { DATABASE_URL: databaseUrl, S3_BUCKET: 'none' }
  return await run([nodeBinary() ?? 'node', '--input-type=module', '--eval', program], { environment })
}

test('the function brings an empty database up to date, and a second call has nothing to do', async () => {
  const built = await run([process.execPath, 'scripts/build.ts', 'migrate', directory])
  expect(built.status, built.errors).toBe(0)
  const first = await call(url)
  expect(first.status, first.errors).toBe(0)
  const { applied } = JSON.parse(first.output) as { applied: string[] }
  const recorded = await sql<{ name: string }[]>`select name from job_server.schema_migrations order by name`
  expect(applied).toEqual(recorded.map(({ name }) => name))
  expect(applied).toContain('0001_jobs.sql')
  expect(JSON.parse((await call(url)).output)).toEqual({ applied: [] })
})

test('a migration that can not be done fails the call, and so the deployment', async () => {
  await sql`update job_server.schema_migrations set checksum = 'of another text' where name = '0001_jobs.sql'`
  const { status, errors } = await call(url)
  expect(status).not.toBe(0)
  expect(errors).toContain('was edited after it was applied')
})
