/**
 * How long a job waits when nothing stands before it: from the request to the API until a worker has claimed it and
 * until its code runs, against a bare NOTIFY from one connection to another on the same PostgreSQL.
 */
import { z } from 'zod'
import { type Bench, timeOfDayMs } from './bench.ts'
import type { BenchDatabase } from './database.ts'
import mark, { Mark } from './jobs/mark.ts'
import { compare, percentile } from './measurement.ts'
import { bareNotify, openNotify } from './notify.ts'

const jobs = 200
const warmUpJobs = 5
/** The worker must have gone back to sleep, or it finds the next job by looking rather than by being woken. */
const settleMs = 50

const Enqueued = z.object({ jobId: z.string() })

export const latencyBench: Bench = {
  name: 'latency',
  about: `from enqueue to start through API and worker, ${jobs} jobs one after the other`,
  defaultRounds: 5,
  async run({ stack, rounds, onStep }) {
    const database = await stack.openDatabase()
    const [api] = await Promise.all([database.startApi(), database.startWorker()])
    const bare = await openNotify(database.url)
    for (let count = 0; count < warmUpJobs; count++) {
      await jobWait(database, api.url)
      await bare.roundTrip()
    }
    const passes: { claimed: number[]; firstLine: number[]; bare: number[] }[] = []
    for (let round = 0; round < rounds; round++) {
      onStep(`round ${round + 1} of ${rounds}`)
      const pass = { claimed: [] as number[], firstLine: [] as number[], bare: [] as number[] }
      for (let count = 0; count < jobs / rounds; count++) {
        const { claimedMs, firstLineMs } = await jobWait(database, api.url)
        pass.claimed.push(claimedMs)
        pass.firstLine.push(firstLineMs)
        await Bun.sleep(settleMs)
        pass.bare.push(await bare.roundTrip())
      }
      passes.push(pass)
    }
    await bare.close()
    await database.close()

    const p50 = (name: string, side: 'claimed' | 'firstLine') =>
      compare(
        { name: `${name}, p50`, unit: 'ms', better: 'lower' },
        { label: 'Job Server', values: passes.map((pass) => percentile(pass[side], 0.5)) },
        { label: bareNotify, values: passes.map((pass) => percentile(pass.bare, 0.5)) },
      )
    // Of one round's few jobs it would be the slowest: taken over all.
    const p99 = (name: string, side: 'claimed' | 'firstLine') =>
      compare(
        { name: `${name}, p99 over all rounds`, unit: 'ms', better: 'lower' },
        {
          label: 'Job Server',
          values: [
            percentile(
              passes.flatMap((pass) => pass[side]),
              0.99,
            ),
          ],
        },
        {
          label: bareNotify,
          values: [
            percentile(
              passes.flatMap((pass) => pass.bare),
              0.99,
            ),
          ],
        },
      )
    return [
      p50('enqueue to claimed', 'claimed'),
      p99('enqueue to claimed', 'claimed'),
      p50('enqueue to the first line of the job', 'firstLine'),
      p99('enqueue to the first line of the job', 'firstLine'),
    ]
  },
}

/** Both from before the request is sent. */
async function jobWait(
  database: BenchDatabase,
  apiUrl: string,
): Promise<{ claimedMs: number; firstLineMs: number }> {
  const sentAtMs = timeOfDayMs()
  const response = await fetch(`${apiUrl}/v1/jobs`, {
    method: 'POST',
    body: JSON.stringify({ definitionKey: mark.key }),
    headers: { 'content-type': 'application/json' },
  })
  if (!response.ok) throw new Error(`the API answered ${response.status}: ${await response.text()}`)
  const { jobId } = Enqueued.parse(await response.json())
  const [done] = await database.succeeded([jobId])
  return {
    claimedMs: (await database.claimedAtMs(jobId)) - sentAtMs,
    firstLineMs: Mark.parse(done?.result).atMs - sentAtMs,
  }
}
