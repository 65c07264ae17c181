import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { readProcessTable } from '../../worker/process-table.ts'
import { processesNaming } from '../support/processes.ts'
import { startServer, type TestJob } from '../support/server.ts'
import { seldomMs, until } from '../support/until.ts'

const jobs = fileURLToPath(new URL('../fixtures/jobs', import.meta.url))
const server = await startServer({
  workers: 0,
  environment: { JOBS_DIR: jobs, LEASE_DURATION_SECONDS: '4' },
})

async function blockingJob(): Promise<TestJob> {
  const job = await server.enqueue('misbehave', { how: 'leave children and daemons and block' })
  await until(
    'a child and two daemons',
    async () => (await processesNaming(job.id)).length >= 3,
    60,
    seldomMs,
  )
  return job
}

async function guardianOf({ pid }: { pid: number }): Promise<number | undefined> {
  const table = await readProcessTable()
  const guardians = await processesNaming('worker/guardian-process.ts')
  return guardians.find((one) => table.get(one.pid)?.parent === pid)?.pid
}

async function leavesNothing(job: TestJob): Promise<void> {
  const left = async () => [...(await processesNaming(server.scratch)), ...(await processesNaming(job.id))]
  await until('every process to be gone', async () => (await left()).length === 0, 60, seldomMs)
  const directories = () => readdir(join(server.scratch, 'job-server-scratch'))
  await until('the scratch directory to be gone', async () => (await directories()).length === 0)
}

test('a worker that is killed leaves nothing, though its job blocks and has children and daemons', async () => {
  const worker = await server.startWorker()
  const job = await blockingJob()
  worker.signal('SIGKILL')
  await leavesNothing(job)
  // And the job is dealt with by the next worker: it has no attempt left.
  await server.startWorker()
  expect(await job.reaches('failed')).toMatchObject({ errorCode: 'lease_expired' })
})

test('a guardian that is killed is replaced, and the new one knows of all', async () => {
  const worker = server.workers.at(-1)
  if (worker === undefined) throw new Error('there is no worker')
  const job = await blockingJob()
  const first = await guardianOf(worker)
  process.kill(first ?? 0, 'SIGKILL')
  const another = async () => {
    const found = await guardianOf(worker)
    return found !== first && found
  }
  const second = await until('another guardian', another, 60, seldomMs)
  expect(second).not.toBe(first)
  worker.signal('SIGKILL')
  await leavesNothing(job)
})
