import { rename } from 'node:fs/promises'
import pino from 'pino'
import { afterAll, expect, test } from 'vitest'
import { openPool } from '../../../core/db.ts'
import { listDefinitions } from '../../../core/definitions/read.ts'
import { anyPort } from '../../../scripts/ports.ts'
import { DefinitionLoader, type DefinitionLoaderOptions } from '../../../worker/definition-loader.ts'
import { testDatabase } from '../../support/database.ts'
import { jobDirectory, jobFile } from '../../support/job-files.ts'
import { openLine } from '../../support/line.ts'
import { until } from '../../support/until.ts'

const { sql, url } = await testDatabase()
const nobodyListens = `postgres://nobody@127.0.0.1:${await anyPort()}/none`
const away = openPool({ DATABASE_URL: nobodyListens, DATABASE_POOL_SIZE: 1 }, 'test')
afterAll(() => away.end({ timeout: 0 }))

function loaderOf(
  directory: string,
  given: Pick<DefinitionLoaderOptions, 'sql'> & Partial<DefinitionLoaderOptions>,
) {
  const loaded: string[][] = []
  const loader = new DefinitionLoader({
    directories: [directory],
    environment: { PATH: process.env.PATH },
    watch: false,
    log: pino({ level: 'silent' }),
    onLoaded: (definitions) => loaded.push(definitions.map(({ key }) => key)),
    ...given,
  })
  return { loader, loaded }
}

test('definitions are loaded and registered once, and again only after a change', async () => {
  const jobs = await jobDirectory({ 'a.ts': jobFile({ key: 'a' }) })
  const { loader, loaded } = loaderOf(jobs.path, { sql })
  expect(await loader.runOnce()).toBe('loaded')
  expect(await loader.runOnce()).toBe('unchanged')
  expect(await listDefinitions(sql)).toMatchObject([{ key: 'a' }])

  await jobs.write('b.ts', jobFile({ key: 'b' }))
  expect(await loader.runOnce(), 'it may still be being written').toBe('unchanged')
  expect(await loader.runOnce()).toBe('loaded')
  expect(loaded).toEqual([['a'], ['a', 'b']])
  await loader.stop()
})

test('a job file reads the variables that jobs are to get', async () => {
  const top = "if (process.env.BILLING_URL !== 'here') throw new Error('unseen')"
  const jobs = await jobDirectory({ 'a.ts': jobFile({ key: 'a', top }) })
  const { loader, loaded } = loaderOf(jobs.path, {
    sql,
    environment: { PATH: process.env.PATH, BILLING_URL: 'here' },
    jobVariables: ['BILLING_URL'],
  })
  await loader.runOnce()
  expect(loaded).toEqual([['a']])
  await loader.stop()
})

test('without a database nothing changes, and nothing falls over', async () => {
  const jobs = await jobDirectory({ 'a.ts': jobFile({ key: 'a' }) })
  const { loader, loaded } = loaderOf(jobs.path, { sql: away })
  expect(await loader.runOnce()).toBe('failed')
  expect(await loader.runOnce(), 'it is tried again').toBe('failed')
  await loader.start()
  await loader.stop()
  await loader.stop()
  expect(loaded).toEqual([])
})

test('without watching, what could not be loaded is tried until it is, though a file changes meanwhile', async () => {
  const jobs = await jobDirectory({ 'a.ts': jobFile({ key: 'a' }) })
  const line = await openLine(url)
  line.drop()
  const byLine = openPool({ DATABASE_URL: line.url, DATABASE_POOL_SIZE: 1 }, 'test')
  const { loader, loaded } = loaderOf(jobs.path, { sql: byLine })
  await loader.start()
  await jobs.write('b.ts', jobFile({ key: 'b' }))
  await line.restore()
  await until('both to be loaded', () => loaded.length > 0)
  expect(loaded).toEqual([['a', 'b']])
  await loader.stop()
  await byLine.end()
})

test('a directory that can not be read for a moment takes no schedule with it, a file that is taken away does', async () => {
  const source = jobFile({ key: 'nightly', more: "schedule: '0 3 * * *'," })
  const jobs = await jobDirectory({ 'nightly.ts': source })
  const { loader, loaded } = loaderOf(jobs.path, { sql })
  const schedules = async () => {
    const rows = await sql<{ name: string }[]>`select name from job_server.schedules`
    return rows.map(({ name }) => name)
  }
  const lookTwice = async () => [await loader.runOnce(), await loader.runOnce()]
  await loader.runOnce()
  await rename(jobs.path, `${jobs.path}-away`)
  expect(await lookTwice()).toEqual(['unchanged', 'loaded'])
  expect(loaded.at(-1)).toEqual([])
  expect(await schedules()).toEqual(['nightly@1'])
  await rename(`${jobs.path}-away`, jobs.path)
  expect(await lookTwice()).toEqual(['unchanged', 'loaded'])
  await jobs.remove('nightly.ts')
  expect(await lookTwice()).toEqual(['unchanged', 'loaded'])
  expect(await schedules()).toEqual([])

  await jobs.write('nightly.ts', source)
  expect(await lookTwice()).toEqual(['unchanged', 'loaded'])
  expect(await schedules()).toEqual(['nightly@1'])
  await jobs.write('nightly.ts', jobFile({ key: 'nightly' }))
  expect(await lookTwice()).toEqual(['unchanged', 'loaded'])
  expect(await schedules()).toEqual([])
  await loader.stop()
})
