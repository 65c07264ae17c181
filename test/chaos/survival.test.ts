/**
 * Hundreds of jobs, four coordinators, and everything that can break breaking at random. The judge stands outside: a
 * ledger of files that the jobs write, and the database once all is quiet. The seed is printed; CHAOS_SEED repeats it,
 * CHAOS_JOBS makes it long (`bun run chaos` takes 10,000).
 */
import { chmod, mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { openPool, type Pool } from '../../core/db.ts'
import { discoverDefinitions } from '../../core/definitions/discover.ts'
import { registerDefinitions } from '../../core/definitions/register.ts'
import { migrate } from '../../core/migrate.ts'
import { enqueueMany } from '../../core/queue/enqueue.ts'
import { removeStrayOutputs } from '../../core/upkeep/stray-outputs.ts'
import { ChildProcess } from '../../scripts/child-process.ts'
import { startPostgres } from '../../scripts/embedded/servers.ts'
import { anyPort } from '../../scripts/ports.ts'
import { dice } from '../support/dice.ts'
import { killQuietly, processesNaming } from '../support/processes.ts'
import { testStorage } from '../support/storage.ts'
import { emptied, seldomMs, until } from '../support/until.ts'
import { chooseMischief, doMischief, type Mischief, type Scene } from './monkey.ts'

const jobCount = Number(process.env.CHAOS_JOBS ?? 200)
const seed = Number(process.env.CHAOS_SEED ?? Date.now() % 1_000_000)
const coordinators = 4
const leaseSeconds = 2
const batch = 20
const jobsDirectory = new URL('./jobs', import.meta.url).pathname
const deadlineSeconds = 60 + jobCount * 0.3

const directory = await mkdtemp(join(tmpdir(), 'job-server-chaos-'))
const ledger = join(directory, 'ledger')
const scratch = join(directory, 'scratch')
await mkdir(ledger)
await mkdir(scratch)
const bucket = await testStorage()
const databaseOptions = { directory: join(directory, 'postgres'), port: await anyPort(), disposable: true }
await chmod(directory, 0o755)
const database = await startPostgres(databaseOptions)
const DATABASE_URL = database.environment.DATABASE_URL ?? ''
const sql: Pool = openPool({ DATABASE_URL, DATABASE_POOL_SIZE: 4 }, 'chaos judge')
const scene: Scene = { workers: [], database, databaseOptions, leaseSeconds }

afterAll(async () => {
  await stopWorkers()
  await sql.end({ timeout: 5 })
  await scene.database.stop()
  await rm(directory, { recursive: true, force: true })
})

function startWorker(place: number): void {
  const worker = new ChildProcess({
    name: `w${place}`,
    entry: 'worker/main.ts',
    environment: {
      PATH: process.env.PATH,
      DATABASE_URL,
      ...bucket.environment,
      WORKER_ID: `w${place}`,
      SCRATCH_DIRECTORY: scratch,
      JOBS_DIR: jobsDirectory,
      LEASE_DURATION_SECONDS: String(leaseSeconds),
      POLL_INTERVAL_SECONDS: '1',
      SHUTDOWN_GRACE_SECONDS: '1',
      MAX_CONCURRENT_EXECUTIONS: '4',
      LOG_LEVEL: 'error',
    },
  })
  scene.workers[place] = worker
  // Killed, drained, or started while PostgreSQL was away: like any supervisor, we start another.
  void worker.exited.then(() => {
    if (!isOver) startWorker(place)
  })
}

async function stopWorkers(): Promise<void> {
  isOver = true
  await Promise.all(scene.workers.map((worker) => worker.stop(60)))
}

let isOver = false
let quiet = false

test(
  `${jobCount} jobs survive everything, each finished once (seed ${seed})`,
  async () => {
    console.log(`chaos: ${jobCount} jobs, CHAOS_SEED=${seed}`)
    const random = dice(seed)
    await migrate(sql)
    const { definitions, broken } = await discoverDefinitions([jobsDirectory])
    expect(broken).toEqual([])
    await registerDefinitions(sql, definitions)
    for (let place = 0; place < coordinators; place++) startWorker(place)

    const done = new Map<Mischief, number>()
    const chaos = (async () => {
      while (!quiet) {
        const mischief = chooseMischief(random)
        await doMischief(mischief, scene, random)
        done.set(mischief, (done.get(mischief) ?? 0) + 1)
        await Bun.sleep(random() * 500)
      }
    })()
    const acknowledged = await enqueueAll(random)
    const finished = async () => {
      const [row] = await sql<{ count: number }[]>`
      select (select count(*) from job_server.jobs)::int as count`.catch(() => [])
      return row?.count === 0
    }
    // The chaos goes on until most is done; then it must come to rest by itself.
    await until('most jobs to be finished', async () => (await liveJobs()) < jobCount / 10, deadlineSeconds)
    quiet = true
    await chaos
    await until('all jobs to be finished', finished, deadlineSeconds)
    await stopWorkers()
    console.log(`chaos: ${[...done].map(([mischief, count]) => `${count} × ${mischief}`).join(', ')}`)

    await judge(acknowledged)
  },
  deadlineSeconds * 2000,
)

async function liveJobs(): Promise<number> {
  const [row] = await sql<{ count: number }[]>`select count(*)::int from job_server.jobs`.catch(() => [])
  return row?.count ?? jobCount
}

/** Under keys, so that an answer that got lost can be asked for again. */
async function enqueueAll(random: () => number): Promise<string[]> {
  const acknowledged: string[] = []
  for (let first = 0; first < jobCount; first += batch) {
    const inputs = Array.from({ length: batch }, (_, index) => ({
      definitionKey: 'chaos.work',
      idempotencyKey: `job-${first + index}`,
      params: {
        ledger,
        workMs: Math.floor(random() ** 4 * 1500),
        stumbles: stumbles(random),
        publishes: random() < 0.2,
      },
      ...(random() < 0.3
        ? { concurrencyKey: `key-${Math.floor(random() * 5)}`, concurrencyKeyLimit: 2 }
        : {}),
    }))
    const enqueued = await until(
      'an enqueue to be acknowledged',
      () => enqueueMany(sql, inputs).catch(() => null),
      60,
    )
    acknowledged.push(...enqueued.map(({ job }) => job.id))
  }
  return acknowledged
}

function stumbles(random: () => number): ('throw' | 'exit' | 'snooze')[] {
  const kinds = ['throw', 'exit', 'snooze'] as const
  return kinds.filter(() => random() < 0.1)
}

async function judge(acknowledged: string[]): Promise<void> {
  expect(new Set(acknowledged).size, 'each enqueue is a job of its own').toBe(jobCount)
  const jobs = await sql<
    {
      id: string
      status: string
      attempts: number
      crashCount: number
      leaseEpoch: string
      result: { published: string | null }
    }[]
  >`select id, status, attempts, crash_count, lease_epoch, result from job_server.job_history`
  expect(jobs.map(({ id }) => id).sort(), 'what was acknowledged has finished, and nothing else').toEqual(
    [...acknowledged].sort(),
  )
  // Only poison may fail: a process or worker that went down under it three times.
  expect(jobs.filter(({ status, crashCount }) => status !== 'succeeded' && crashCount < 3)).toEqual([])
  expect(jobs.filter(({ status }) => status === 'succeeded').length).toBeGreaterThan(jobCount / 2)

  const disorders = await sql`
    select
      job.id,
      (select count(*) from job_server.events where job_id = job.id and event_type = 'queued') as queued,
      (select count(*) from job_server.events where job_id = job.id and event_type = 'started') as started,
      (select count(*) from job_server.events where job_id = job.id and event_type in ('succeeded', 'failed', 'cancelled')) as ended,
      (select count(*) from job_server.attempts where job_id = job.id) as recorded,
      (select count(*) from job_server.attempts where job_id = job.id and outcome = 'succeeded') as successes,
      (select count(*) from job_server.attempts where job_id = job.id and outcome not in ('interrupted', 'snoozed')) as charged,
      attempts, status
    from job_server.job_history as job`
  const outOfOrder = disorders.filter(
    ({ queued, started, ended, recorded, successes, charged, attempts, status }) =>
      Number(queued) !== 1 ||
      Number(ended) !== 1 ||
      Number(started) !== Number(recorded) ||
      Number(charged) !== attempts ||
      Number(successes) !== (status === 'succeeded' ? 1 : 0),
  )
  expect(outOfOrder, 'every attempt is accounted for, every job ended once').toEqual([])

  for (const { id, status } of jobs) {
    if (status !== 'succeeded') continue
    const runs = (await readFile(join(ledger, id), 'utf8')).trim().split('\n').length
    const [row] = await sql<
      { count: number }[]
    >`select count(*)::int from job_server.attempts where job_id = ${id}`
    expect(runs, 'nothing ran without being claimed').toBeLessThanOrEqual(row?.count ?? 0)
  }

  await sql`update job_server.stray_outputs set remove_after = now() - interval '1 second'`
  while ((await removeStrayOutputs(sql, bucket.storage, { limit: 1000 })) > 0);
  const published = jobs.flatMap(({ result }) => (result?.published ? [result.published] : []))
  expect((await bucket.keys()).sort(), 'what is published is there, and nothing else').toEqual(
    published.sort(),
  )
  for (const { id, leaseEpoch, result } of jobs) {
    if (result?.published) expect(result.published).toContain(`${id}/${leaseEpoch}/`)
  }

  const left = await emptied(() => processesNaming(scratch), 30, seldomMs)
  for (const { pid } of left) killQuietly(pid, 'SIGKILL')
  expect(left, 'no process is left').toEqual([])
  const letters = await sql`select from job_server.dead_letters`
  expect(letters.length).toBe(jobs.filter(({ status }) => status === 'failed').length)
  const directories = async () =>
    (await readdir(join(scratch, 'job-server-scratch'))).filter((name) => name.includes('.'))
  expect(await emptied(directories), 'no scratch directory is left').toEqual([])
}
