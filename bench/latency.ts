/**
 * How long a job waits when nothing stands before it: from the request to the API until a worker has claimed it and
 * until its code runs, against a bare NOTIFY from one connection to another on the same PostgreSQL, and against
 * graphile-worker, which needs no API and no process: its jobs are functions in the program that waits for them.
 */
import { z } from 'zod'
import { type Bench, timeOfDayMs } from './bench.ts'
import type { BenchDatabase } from './database.ts'
import mark, { Mark } from './jobs/mark.ts'
import { compare, percentile } from './measurement.ts'
import { bareNotify, openNotify } from './notify.ts'
import { askWaits } from './peers/ask.ts'
import { peers } from './peers/peer.ts'

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
    const theirs = await stack.openDatabase()
    const perRound = Math.ceil(jobs / rounds)
    const passes: Record<'claimed' | 'firstLine' | 'bare' | 'theirs', number[]>[] = []
    for (let round = 0; round < rounds; round++) {
      onStep(`round ${round + 1} of ${rounds}`)
      const pass: (typeof passes)[number] = { claimed: [], firstLine: [], bare: [], theirs: [] }
      for (let count = 0; count < perRound; count++) {
        const { claimedMs, firstLineMs } = await jobWait(database, api.url)
        pass.claimed.push(claimedMs)
        pass.firstLine.push(firstLineMs)
        await Bun.sleep(settleMs)
        pass.bare.push(await bare.roundTrip())
      }
      const order = { peer: 'graphileWorker', measure: 'waits', url: theirs.url } as const
      const count = perRound + warmUpJobs
      const waits = await askWaits(stack, { ...order, jobs: count, perCall: 1, everyMs: settleMs })
      pass.theirs.push(...waits.slice(warmUpJobs))
      passes.push(pass)
    }
    await bare.close()
    await Promise.all([database.close(), theirs.close()])

    // Of one round's few jobs the 99th percentile would be the slowest: taken over all.
    const all = (side: keyof (typeof passes)[number]) => passes.flatMap((pass) => pass[side])
    const measured = (name: string, side: 'claimed' | 'firstLine', peer: 'bare' | 'theirs') => {
      const peerLabel = peer === 'bare' ? bareNotify : `${peers.graphileWorker.label}, in its process`
      return [
        compare(
          { name: `${name}, p50`, unit: 'ms', better: 'lower' },
          { label: 'Job Server', values: passes.map((pass) => percentile(pass[side], 0.5)) },
          { label: peerLabel, values: passes.map((pass) => percentile(pass[peer], 0.5)) },
        ),
        compare(
          { name: `${name}, p99 over all rounds`, unit: 'ms', better: 'lower' },
          { label: 'Job Server', values: [percentile(all(side), 0.99)] },
          { label: peerLabel, values: [percentile(all(peer), 0.99)] },
        ),
      ]
    }
    return [
      ...measured('enqueue to claimed', 'claimed', 'bare'),
      ...measured('enqueue to the first line of the job', 'firstLine', 'bare'),
      ...measured('enqueue to the first line of the job, against a peer', 'firstLine', 'theirs'),
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
