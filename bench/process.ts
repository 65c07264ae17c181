/**
 * What a process of its own costs a job: a real worker, one job after the other and then many, against starting an
 * empty Bun process as often.
 */
import { mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { enqueue, enqueueMany } from '../core/queue/enqueue.ts'
import { type Bench, byCallers, interleave, perSecond, timeOfDayMs } from './bench.ts'
import type { BenchDatabase } from './database.ts'
import mark, { Mark } from './jobs/mark.ts'
import { compare, median } from './measurement.ts'

const slots = 4
const startsPerRound = 8
const jobsPerRound = 60
const warmUpJobs = 4
/** A standby process is up again after that, and a slot free. */
const settleMs = 150

export const processBench: Bench = {
  name: 'process',
  about: 'from claim to job code, and empty jobs through a whole worker',
  defaultRounds: 3,
  async run(context) {
    const database = await context.stack.openDatabase()
    const directory = await mkdtemp(join(context.stack.directory, 'process-'))
    const starts = await interleave(
      context,
      {
        standby: () => withWorker(database, { STANDBY_PROCESSES: String(slots) }, () => jobStarts(database)),
        onDemand: () => withWorker(database, { STANDBY_PROCESSES: '0' }, () => jobStarts(database)),
        bare: () => bareStarts(directory),
      },
      { what: 'starts', warmUp: false },
    )
    const rates = await interleave(
      context,
      {
        worker: () => withWorker(database, {}, () => jobRate(database)),
        bare: () => bareRate(directory),
      },
      { what: 'throughput', warmUp: false },
    )
    await database.close()
    const start = (name: string, values: number[]) =>
      compare(
        { name, unit: 'ms', better: 'lower' },
        { label: 'from claim to the first line of the job', values },
        { label: 'from spawn to the first line of `bun -e`', values: starts.bare },
      )
    return [
      start('start of a job in a standby process', starts.standby),
      start('start of a job in a process spawned on demand', starts.onDemand),
      compare(
        { name: `empty jobs, ${slots} at once`, unit: '/s', better: 'higher' },
        { label: 'jobs through the worker', values: rates.worker },
        { label: 'runs of `bun -e 0`', values: rates.bare },
      ),
    ]
  },
}

/** Two workers at once would take each other's jobs and processor time. */
async function withWorker<Result>(
  database: BenchDatabase,
  environment: Record<string, string>,
  act: () => Promise<Result>,
): Promise<Result> {
  const settings = { MAX_CONCURRENT_EXECUTIONS: String(slots), ...environment }
  const worker = await database.startWorker(settings)
  await runMany(database, warmUpJobs)
  await Bun.sleep(settleMs)
  const result = await act()
  await worker.stop()
  return result
}

/** Milliseconds from claim to first line, the median of jobs that find the worker idle. */
async function jobStarts(database: BenchDatabase): Promise<number> {
  const taken: number[] = []
  for (let count = 0; count < startsPerRound; count++) {
    const { job } = await enqueue(database.sql, { definitionKey: mark.key })
    const [done] = await database.succeeded([job.id])
    taken.push(Mark.parse(done?.result).atMs - (await database.claimedAtMs(job.id)))
    await Bun.sleep(settleMs)
  }
  return median(taken)
}

/** Milliseconds from before the spawn to the first line, in a directory where Bun finds nothing to read. */
async function bareStarts(directory: string): Promise<number> {
  const taken: number[] = []
  for (let count = 0; count < startsPerRound; count++) {
    const spawnedAtMs = timeOfDayMs()
    const child = Bun.spawn(
      [process.execPath, '-e', 'console.log(performance.timeOrigin + performance.now())'],
      {
        cwd: directory,
        env: {},
        stdin: 'ignore',
        stdout: 'pipe',
        stderr: 'ignore',
      },
    )
    const text = await new Response(child.stdout).text()
    if ((await child.exited) !== 0) throw new Error(`bun -e ended with status ${child.exitCode}`)
    taken.push(Number(text) - spawnedAtMs)
    await Bun.sleep(settleMs)
  }
  return median(taken)
}

/** Jobs a second from the first claim to the last end. */
async function jobRate(database: BenchDatabase): Promise<number> {
  const jobs = await runMany(database, jobsPerRound)
  const firstMs = Math.min(...jobs.map(({ startedAt }) => startedAt.getTime()))
  const lastMs = Math.max(...jobs.map(({ finishedAt }) => finishedAt.getTime()))
  return (jobs.length * 1000) / (lastMs - firstMs)
}

/** An empty text would not do: for `bun -e ""` Bun prints its help and starts no runtime. */
async function bareRate(directory: string): Promise<number> {
  const run = async () => {
    const child = Bun.spawn([process.execPath, '-e', '0'], {
      cwd: directory,
      env: {},
      stdin: 'ignore',
      stdout: 'ignore',
      stderr: 'ignore',
    })
    if ((await child.exited) !== 0) throw new Error(`bun -e ended with status ${child.exitCode}`)
  }
  return await perSecond(jobsPerRound, () => byCallers(slots, jobsPerRound, run))
}

async function runMany(database: BenchDatabase, count: number) {
  const inputs = Array.from({ length: count }, () => ({ definitionKey: mark.key }))
  const enqueued = await enqueueMany(database.sql, inputs)
  return await database.succeeded(enqueued.map(({ job }) => job.id))
}
