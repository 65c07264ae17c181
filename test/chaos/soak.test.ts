import { readdir, readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { enqueueMany } from '../../core/queue/enqueue.ts'
import { chaosJobs } from '../support/ledger.ts'
import { childrenOf } from '../support/processes.ts'
import { startServer } from '../support/server.ts'
import { until } from '../support/until.ts'

/** CHAOS_JOBS makes it long, as in the other chaos. */
const jobCount = Number(process.env.CHAOS_JOBS ?? 2500)
const batch = 500
const warmUp = 1000
const allowedGrowthBytes = 48 * 1024 ** 2
const slots = 4

const server = await startServer({
  workers: 0,
  environment: { JOBS_DIR: chaosJobs, MAX_CONCURRENT_EXECUTIONS: String(slots), LOG_LEVEL: 'error' },
})
const { sql } = server.database

async function run(count: number): Promise<void> {
  for (let first = 0; first < count; first += batch) {
    const inputs = Array.from({ length: batch }, (_, n) => ({ definitionKey: 'soak.work', params: { n } }))
    await enqueueMany(sql, inputs)
  }
  await until(
    'all jobs to be finished',
    async () => {
      const [row] = await sql<{ left: boolean }[]>`select exists (select from job_server.jobs) as left`
      return row?.left === false
    },
    120,
  )
}

async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1024
}

test(`${jobCount} jobs leave a worker as it was: memory, descriptors, processes, scratch`, async () => {
  const worker = await server.startWorker()
  const handles = async () => (await readdir(`/proc/${worker.pid}/fd`)).length
  // The first ones bring what is loaded and cached once.
  await run(warmUp)
  const before = { memory: await residentBytes(worker.pid), handles: await handles() }
  await run(jobCount - warmUp)
  expect(await residentBytes(worker.pid)).toBeLessThan(before.memory + allowedGrowthBytes)
  // Used processes, one that stands by, and the guardian; each with three streams.
  expect(await handles()).toBeLessThanOrEqual(before.handles + 3 * slots)
  expect((await childrenOf(worker.pid)).length).toBeLessThanOrEqual(slots + 2)
  const left = (await readdir(`${server.scratch}/job-server-scratch`, { recursive: true })).filter((path) =>
    path.includes('/'),
  )
  expect(left).toEqual([])
  const [row] = await sql<{ logged: number; succeeded: number; again: number }[]>`
    select
      (select count(distinct job_id) from job_server.logs)::int as logged,
      (select count(*) from job_server.job_history where status = 'succeeded')::int as succeeded,
      -- One that was given back when it had just begun tells of it twice.
      (select count(*) - count(distinct job_id) from job_server.logs)::int
        - (select count(*) from job_server.attempts where outcome = 'interrupted')::int as again`
  expect(row).toMatchObject({ logged: jobCount, succeeded: jobCount })
  expect(row?.again, 'lines that no attempt has written').toBeLessThanOrEqual(0)
}, 300_000)
