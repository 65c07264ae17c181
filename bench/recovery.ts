/**
 * How long it takes until all is as it should be again: from the SIGKILL of a worker until its jobs run elsewhere, and
 * from the request to cancel a job that heeds no signal until nothing of its process group is left. Leases, poll and
 * grace are the defaults. Beside each stands what the settings alone make it take.
 */
import { readFile } from 'node:fs/promises'
import { enqueueMany } from '../core/queue/enqueue.ts'
import { type Bench, timeOfDayMs } from './bench.ts'
import type { BenchDatabase, Running } from './database.ts'
import hang, { Hanging } from './jobs/hang.ts'
import { compare, percentile } from './measurement.ts'

const slots = 30
/** Cancelled at the same time, and in how many batches a round. */
const cancelled = 10
const batches = 4
/** `LEASE_DURATION_SECONDS` and `CANCEL_GRACE_SECONDS` where nothing else is said. */
const leaseMs = 15_000
const graceMs = 500
const pollMs = 5
const deadlineMs = 60_000

interface Round {
  rescued: number[]
  gone: number[]
}

export const recoveryBench: Bench = {
  name: 'recovery',
  about: `${slots} jobs of a worker that is killed run elsewhere; jobs deaf to SIGTERM are cancelled, ${cancelled} at a time`,
  defaultRounds: 3,
  async run({ stack, rounds, onStep }) {
    const passes: Round[] = []
    for (let round = 0; round < rounds; round++) {
      onStep(`round ${round + 1} of ${rounds}: a worker dies`)
      const rescued = await stack.withDatabase(rescueWaits)
      onStep(`round ${round + 1} of ${rounds}: jobs are cancelled`)
      const gone = await stack.withDatabase(cancelWaits)
      passes.push({ rescued, gone })
    }
    const measured = (
      name: string,
      of: (pass: Round) => number[],
      share: number,
      least: number,
      what: string,
    ) =>
      compare(
        { name, unit: 's', better: 'lower' },
        { label: 'Job Server', values: [percentile(passes.flatMap(of), share) / 1000] },
        { label: what, values: [least / 1000] },
      )
    const lease = 'the lease'
    const grace = 'the grace'
    return [
      measured(
        'death of a worker to its jobs running, p50 over all rounds',
        (pass) => pass.rescued,
        0.5,
        leaseMs,
        lease,
      ),
      measured('the same, p95', (pass) => pass.rescued, 0.95, leaseMs, lease),
      measured('cancel to no process left, p50 over all rounds', (pass) => pass.gone, 0.5, graceMs, grace),
      measured('the same, p99', (pass) => pass.gone, 0.99, graceMs, grace),
    ]
  },
}

/** Milliseconds from the signal to the first line of each job's next attempt. */
async function rescueWaits(database: BenchDatabase): Promise<number[]> {
  const settings = { MAX_CONCURRENT_EXECUTIONS: String(slots) }
  const dying = await database.startWorker(settings)
  const jobIds = await enqueueHanging(database, slots, { children: false })
  await hangingOf(database, jobIds, 1)
  await database.startWorker(settings)
  // Anywhere between two heartbeats and between two polls of the other.
  await Bun.sleep(Math.random() * 5000)
  const diedAtMs = await database.timeMs()
  await dying.kill()
  const again = await hangingOf(database, jobIds, 2)
  return again.map(({ atMs }) => atMs - diedAtMs)
}

/** Milliseconds from before the request to when no process of the job is left. */
async function cancelWaits(database: BenchDatabase): Promise<number[]> {
  const [api] = await Promise.all([
    database.startApi(),
    database.startWorker({ MAX_CONCURRENT_EXECUTIONS: String(cancelled) }),
  ])
  const waits: number[] = []
  for (let batch = 0; batch < batches; batch++) {
    const jobIds = await enqueueHanging(database, cancelled, { children: true })
    const hanging = await hangingOf(database, jobIds, 1)
    waits.push(...(await Promise.all(hanging.map((job) => untilGone(api, job)))))
  }
  return waits
}

async function enqueueHanging(
  { sql }: BenchDatabase,
  count: number,
  params: { children: boolean },
): Promise<string[]> {
  const jobs = await enqueueMany(
    sql,
    Array.from({ length: count }, () => ({ definitionKey: hang.key, params })),
  )
  return jobs.map(({ job }) => job.id)
}

interface HangingJob {
  jobId: string
  /** Of its first line in this attempt, by the clock of the database. */
  atMs: number
  pids: number[]
}

/** Waits until every job has begun so many times. @returns the last beginning of each */
async function hangingOf({ sql }: BenchDatabase, jobIds: string[], times: number): Promise<HangingJob[]> {
  const end = performance.now() + deadlineMs
  for (;;) {
    const rows = await sql<{ jobId: string; atMs: number; payload: unknown; times: number }[]>`
      select distinct on (job_id)
        job_id, (extract(epoch from at) * 1000)::float8 as at_ms, payload,
        (count(*) over (partition by job_id))::int as times
      from job_server.events
      where job_id = any(${jobIds}::uuid[]) and event_type = 'hanging'
      order by job_id, id desc`
    const begun = rows.filter((row) => row.times === times)
    if (begun.length === jobIds.length) {
      return begun.map(({ jobId, atMs, payload }) => ({ jobId, atMs, ...Hanging.parse(payload) }))
    }
    if (performance.now() > end)
      throw new Error(`${begun.length} of ${jobIds.length} jobs began ${times} times`)
    await Bun.sleep(pollMs * 10)
  }
}

async function untilGone({ url }: Running, { jobId, pids }: HangingJob): Promise<number> {
  const sentAtMs = timeOfDayMs()
  const response = await fetch(`${url}/v1/jobs/${jobId}/cancel`, { method: 'POST' })
  if (!response.ok) throw new Error(`the API answered ${response.status}: ${await response.text()}`)
  const end = performance.now() + deadlineMs
  while ((await Promise.all(pids.map(isAlive))).includes(true)) {
    if (performance.now() > end) throw new Error(`of job ${jobId} still runs one of ${pids}`)
    await Bun.sleep(pollMs)
  }
  return timeOfDayMs() - sentAtMs
}

/** One that has ended and only waits for its parent to ask runs no more. */
async function isAlive(pid: number): Promise<boolean> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3) !== 'Z'
  } catch {
    return false
  }
}
