/**
 * Three schedulers that are killed and paused at random, and a PostgreSQL that crashes in between, over 500 fire times of
 * which each must be fired, and once. The seed is printed; CHAOS_SEED repeats what is broken and when.
 */
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { databaseTime, openPool } from '../../core/db.ts'
import { migrate } from '../../core/migrate.ts'
import type { ChildProcess } from '../../scripts/child-process.ts'
import { startPostgres } from '../../scripts/embedded/servers.ts'
import { anyPort } from '../../scripts/ports.ts'
import { dice } from '../support/dice.ts'
import { testQueue } from '../support/queue.ts'
import { testSchedulers } from '../support/schedulers.ts'
import { type TestSchedule, testSchedule } from '../support/schedules.ts'
import { until } from '../support/until.ts'

const seed = Number(process.env.CHAOS_SEED ?? Date.now() % 1_000_000)
const schedules = 5
const timesEach = 100
const periodMs = 100
const leaseSeconds = 1

const directory = await mkdtemp(join(tmpdir(), 'job-server-chaos-'))
await chmod(directory, 0o755)
const options = { directory: join(directory, 'postgres'), port: await anyPort(), disposable: true }
let database = await startPostgres(options)
const DATABASE_URL = database.environment.DATABASE_URL ?? ''
const sql = openPool({ DATABASE_URL, DATABASE_POOL_SIZE: 4 }, 'chaos judge')
afterAll(async () => {
  await sql.end({ timeout: 5 })
  await database.stop()
  await rm(directory, { recursive: true, force: true })
})
const schedulers = testSchedulers(DATABASE_URL, {
  SCHEDULER_LEASE_SECONDS: String(leaseSeconds),
  LOG_LEVEL: 'error',
})
await migrate(sql)
await testQueue(sql)

async function crashDatabase(): Promise<void> {
  const pidFile = await readFile(join(options.directory, 'postmaster.pid'), 'utf8')
  process.kill(Number.parseInt(pidFile, 10), 'SIGQUIT')
  await database.stop()
  database = await startPostgres(options)
}

/** What is done to one of the living, and how often. */
async function breakThings(random: () => number, isOver: () => Promise<boolean>) {
  const living = await Promise.all([schedulers.start(), schedulers.start(), schedulers.start()])
  const done = { kills: 0, pauses: 0, crashes: 0 }
  // A busy machine is slow to start another: what is to happen in the meantime happens, however late.
  while (done.crashes === 0 || !(await isOver())) {
    const place = random() < 0.5 ? await leaderAmong(living) : Math.floor(random() * living.length)
    const victim = living[place]
    if (done.crashes === 0 && done.kills + done.pauses >= 3) {
      await crashDatabase()
      done.crashes++
    } else if (random() < 0.5) {
      victim?.signal('SIGKILL')
      living[place] = await schedulers.start()
      done.kills++
    } else {
      victim?.signal('SIGSTOP')
      // The pause is the mischief itself: up to two leases.
      await Bun.sleep(random() * leaseSeconds * 2000)
      victim?.signal('SIGCONT')
      done.pauses++
    }
  }
  return done
}

async function leaderAmong(living: ChildProcess[]): Promise<number> {
  const [lease] = await sql<{ holder: string }[]>`select holder from job_server.leases`
  return Math.max(
    0,
    living.findIndex(({ name }) => name === lease?.holder),
  )
}

test(`500 times, each fired once whatever happens to schedulers and database (seed ${seed})`, async () => {
  console.log(`chaos: schedulers, CHAOS_SEED=${seed}`)
  const begin = (await databaseTime(sql)).getTime() + 1000
  const settings = {
    expression: `every ${periodMs}ms`,
    startsAt: new Date(begin),
    endsAt: new Date(begin + timesEach * periodMs),
    catchUp: 'all',
    catchUpLimit: 1000,
  } as const
  const all: TestSchedule[] = []
  for (let made = 0; made < schedules; made++) all.push(await testSchedule(sql, settings))

  const isOver = async () => {
    const states = await Promise.all(all.map((schedule) => schedule.read()))
    return states.every(({ nextFireAt }) => nextFireAt === null)
  }
  const done = await breakThings(dice(seed), isOver)
  await until('the last times to be fired', isOver)

  const expected = Array.from({ length: timesEach }, (_, index) =>
    new Date(begin + index * periodMs).toISOString(),
  )
  const jobIds = new Set<string | null>()
  for (const schedule of all) {
    const fires = await schedule.fires()
    expect(fires.map(({ fireAt }) => fireAt.toISOString())).toEqual(expected)
    expect(new Set(fires.map(({ outcome }) => outcome))).toEqual(new Set(['enqueued']))
    for (const { jobId } of fires) jobIds.add(jobId)
  }
  expect(jobIds.size).toBe(schedules * timesEach)
  const jobs = await sql<{ id: string }[]>`select id from job_server.jobs`
  expect(new Set(jobs.map(({ id }) => id))).toEqual(jobIds)
  // It was not quiet all the while.
  console.log(done)
  expect(done.kills + done.pauses).toBeGreaterThanOrEqual(3)
  expect(done.crashes).toBe(1)
  const [lease] = await sql<{ epoch: string }[]>`select epoch from job_server.leases`
  expect(Number(lease?.epoch)).toBeGreaterThan(1)
})
