/** Short jobs that one process runs one after the other: what one of them does must not be the others' trouble. */
import { fileURLToPath } from 'node:url'
import { beforeEach, expect, test } from 'vitest'
import { enqueueMany } from '../../core/queue/enqueue.ts'
import { readLogs } from '../../core/queue/logs.ts'
import { startServer, type TestJob } from '../support/server.ts'
import { until } from '../support/until.ts'

const server = await startServer({
  environment: {
    JOBS_DIR: fileURLToPath(new URL('../fixtures/turn-jobs', import.meta.url)),
    MAX_CONCURRENT_EXECUTIONS: '1',
  },
})
const { sql } = server.database

type Deed = 'return' | 'throw' | 'kill its process' | 'leave a child' | 'leave a loop' | 'take long' | 'block'

/** All at once, so that one claim finds them. */
async function enqueue(...deeds: Deed[]): Promise<TestJob[]> {
  const inputs = deeds.map((does) => ({
    ...{ definitionKey: 'short', params: { does } },
    // Where it is to run out.
    ...(does === 'take long' ? { timeoutSeconds: 2 } : {}),
  }))
  const enqueued = await enqueueMany(sql, inputs)
  return enqueued.map(({ job }) => server.job(job.id))
}

function times<Value>(count: number, value: Value): Value[] {
  return Array.from({ length: count }, () => value)
}

async function allSucceed(jobs: TestJob[]) {
  const ids = jobs.map(({ id }) => id)
  const areLive = async () =>
    (await sql`select from job_server.jobs where id = any(${ids}::uuid[]) limit 1`).length > 0
  await until('the jobs to end', async () => !(await areLive()), 90)
  return await Promise.all(jobs.map((job) => job.reaches('succeeded')))
}

/** The most of the jobs that one claim found. */
async function claimedTogether(jobs: TestJob[]): Promise<number> {
  const [row] = await sql<{ jobs: number }[]>`
    select count(*)::int as jobs from job_server.attempts
    where job_id = any(${jobs.map(({ id }) => id)}::uuid[])
    group by started_at
    order by count(*) desc
    limit 1`
  return row?.jobs ?? 0
}

async function attemptsOf(job: TestJob): Promise<string[]> {
  const rows = await sql<{ outcome: string }[]>`
    select outcome from job_server.attempts where job_id = ${job.id} order by lease_epoch`
  return rows.map(({ outcome }) => outcome)
}

/** The worker has to learn that they are short, each time that one was not. */
async function learn(): Promise<void> {
  await until('jobs to be claimed together', async () => {
    const jobs = await enqueue(...times<Deed>(20, 'return'))
    await allSucceed(jobs)
    return (await claimedTogether(jobs)) > 5
  })
}

beforeEach(learn)

/** Runs such a batch, as often as it takes for one claim to find what is at the place with some of those behind it. */
async function runTogether(
  deeds: Deed[],
  place: number,
  judge: (jobs: TestJob[]) => Promise<void>,
): Promise<void> {
  await until(`"${deeds[place]}" to be claimed with others`, async () => {
    const jobs = await enqueue(...deeds)
    await judge(jobs)
    if ((await claimedTogether(jobs.slice(place, place + 2))) === 2) return true
    await learn()
    return false
  })
}

test('each gets its own result, output and an empty directory', async () => {
  const { jobs, answers } = await until('jobs to be run together, in one process', async () => {
    const jobs = await enqueue(...times<Deed>(20, 'return'))
    const answers = await allSucceed(jobs)
    const pids = new Set(answers.map(({ result }) => (result as { pid: number }).pid))
    return (await claimedTogether(jobs)) > 5 && pids.size === 1 && { jobs, answers }
  })
  for (const { result } of answers) expect(result).toMatchObject({ found: [], directory: true })
  for (const job of jobs) {
    const lines = await readLogs(sql, job.id, { limit: 100 })
    expect(lines.map(({ text }) => text).sort()).toEqual([`logged in ${job.id}`, `printed in ${job.id}`])
  }
})

test.each([
  ['throw', 'threw'],
  ['kill its process', 'process_killed'],
] as const)('one that does this fails alone: %s', async (deed, errorCode) => {
  await runTogether(['return', 'return', deed, ...times<Deed>(10, 'return')], 2, async (jobs) => {
    expect(await jobs[2]?.reaches('failed')).toMatchObject({ errorCode, attempts: 1 })
    const others = await allSucceed(jobs.filter((_, place) => place !== 2))
    for (const { attempts, attemptHistory } of others) {
      expect(attempts).toBe(1)
      expect(attemptHistory.filter(({ outcome }) => outcome !== 'interrupted')).toMatchObject([
        { outcome: 'succeeded' },
      ])
    }
  })
})

test('one that leaves a child behind ends its process, and the next get another', async () => {
  await runTogether(['return', 'leave a child', ...times<Deed>(5, 'return')], 1, async (jobs) => {
    const pids = (await allSucceed(jobs)).map(({ result }) => (result as { pid: number }).pid)
    expect(pids.slice(2)).not.toContain(pids[1])
  })
})

test('those behind one that keeps its process busy after its end are done by another', async () => {
  await runTogether(['return', 'leave a loop', ...times<Deed>(5, 'return')], 1, async (jobs) => {
    for (const { attempts } of await allSucceed(jobs)) expect(attempts).toBe(1)
  })
})

test.each(['take long', 'block'] as const)(
  'those behind one that does this go back uncharged, and are done by another worker: %s',
  async (deed) => {
    const [long, ...behind] = await enqueue(deed, ...times<Deed>(10, 'return'))
    const [next] = behind as [TestJob]
    await until('the next to be given back', async () => (await attemptsOf(next)).length > 0)
    const other = await server.startWorker()
    for (const job of behind) {
      expect(await job.reaches('succeeded')).toMatchObject({ attempts: 1 })
      // How many came along with the long one is the worker's to say.
      const [end, ...before] = (await attemptsOf(job)).reverse()
      expect([end, ...new Set(before)]).toEqual(
        before.length === 0 ? ['succeeded'] : ['succeeded', 'interrupted'],
      )
    }
    expect((await attemptsOf(next))[0]).toBe('interrupted')
    await other.stop(60)
    server.workers.splice(server.workers.indexOf(other), 1)
    await long?.reaches('succeeded')
  },
)

test('one that is cancelled while it stands behind others never begins', async () => {
  const [, ...behind] = await enqueue('block', ...times<Deed>(3, 'return'))
  const last = behind[2] as TestJob
  await last.reaches('running')
  expect((await server.request('POST', `/v1/jobs/${last.id}/cancel`)).status).toBe(202)
  await last.reaches('cancelled')
  expect(await readLogs(sql, last.id, { limit: 10 })).toEqual([])
  await allSucceed(behind.slice(0, 2))
})

test('a worker that drains gives back what it has not begun, and no attempt is spent', async () => {
  const [, ...behind] = await enqueue('take long', ...times<Deed>(10, 'return'))
  const [next] = behind as [TestJob]
  await until('the next to be claimed, too', async () => {
    const running = await sql`select from job_server.jobs where id = ${next.id} and state = 'running'`
    return running.length > 0 || (await attemptsOf(next)).length > 0
  })
  const [worker] = server.workers.splice(0)
  await worker?.stop(60)
  await server.startWorker()
  for (const job of behind) expect(await job.reaches('succeeded')).toMatchObject({ attempts: 1 })
  expect((await attemptsOf(next))[0]).toBe('interrupted')
})
