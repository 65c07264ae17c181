/** A worker that the system refuses what a job needs must not wear out the jobs of the others. */
import { readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startServer } from '../support/server.ts'
import { until } from '../support/until.ts'

const server = await startServer({ environment: { POLL_INTERVAL_SECONDS: '1' } })

test('a job that its worker has no place for is given back uncharged, again and again, until there is one', async () => {
  const root = join(server.scratch, 'job-server-scratch')
  const [name = ''] = await readdir(root)
  const place = join(root, name)
  await rename(place, `${place}.away`)
  await writeFile(place, '')
  const job = await server.enqueue('echo', { message: 'in time' }, { maxAttempts: 1 })
  const outcomes = async () => (await job.read()).attemptHistory.map(({ outcome }) => outcome)
  await until('the job to be given back twice', async () => (await outcomes()).length >= 2)
  expect(await job.read()).toMatchObject({ status: 'queued', attempts: 0 })
  expect(new Set(await outcomes())).toEqual(new Set(['interrupted']))
  await rm(place)
  await rename(`${place}.away`, place)
  expect(await job.reaches('succeeded')).toMatchObject({ attempts: 1 })
})
