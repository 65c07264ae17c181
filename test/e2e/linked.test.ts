/** Another project that has the package by `bun link`, with a database of its own. */
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, beforeEach, expect, inject, test } from 'vitest'
import { testDatabase } from '../support/database.ts'
import { run } from '../support/run.ts'

const modules = fileURLToPath(new URL('../../node_modules', import.meta.url))
const { url, sql } = await testDatabase({ empty: true })
const project = await mkdtemp(join(inject('backend').directory, 'linked-'))
const environment = {
  PATH: `${join(modules, '.bin')}:${process.env.PATH}`,
  // Where links are kept; those of whoever runs the tests stay as they are.
  BUN_INSTALL: join(project, 'bun'),
  DATABASE_URL: url,
}
const inProject = (...words: string[]) =>
  run([process.execPath, ...words], { environment, directory: project })

beforeAll(async () => {
  await writeFile(join(project, 'package.json'), '{ "name": "other", "type": "module" }')
  expect(await run([process.execPath, 'link'], { environment })).toMatchObject({ status: 0, errors: '' })
  expect(await inProject('link', 'job-server')).toMatchObject({ status: 0, errors: '' })
  await mkdir(join(project, 'node_modules'), { recursive: true })
  for (const name of ['postgres', 'zod'])
    await symlink(join(modules, name), join(project, 'node_modules', name))
})

afterAll(() => rm(project, { recursive: true, force: true }))

beforeEach(async () => {
  await sql`drop schema if exists job_server cascade`
})

test('its tests migrate an empty database, make a definition known, enqueue and drain', async () => {
  await writeFile(
    join(project, 'try.ts'),
    `
    import postgres from 'postgres'
    import { z } from 'zod'
    import { enqueueJob } from 'job-server/client'
    import { defineJob } from 'job-server/job'
    import { migrate } from 'job-server/migrate'
    import { drain } from 'job-server/testing/drain'

    const params = z.object({ orderId: z.int() })
    const sendInvoice = defineJob({ key: 'send.invoice', params, run: ({ orderId }) => ({ sent: orderId }) })
    const sql = postgres(process.env.DATABASE_URL)
    await migrate(sql)
    await drain(sql, [sendInvoice])
    await sql.begin((tx) => enqueueJob(tx, sendInvoice, { orderId: 7 }))
    const [drained] = await drain(sql, [sendInvoice])
    console.log(JSON.stringify(drained.run.outcome))
    await sql.end()
    `,
  )
  expect(await inProject('try.ts')).toEqual({
    status: 0,
    output: '{"kind":"succeeded","result":{"sent":7}}\n',
    errors: '',
  })
})

test('it has the commands that migrate, and speak to the API', async () => {
  const migrated = await inProject('run', '--silent', 'job-server-migrate')
  expect(migrated).toMatchObject({ status: 0, output: expect.stringMatching(/^applied 0001_/) })
  const help = await inProject('run', '--silent', 'job-server-jobs', '--help')
  expect(help).toMatchObject({ status: 0, output: expect.stringContaining('enqueue DEFINITION') })
})
