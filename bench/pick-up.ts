/**
 * How long a job waits while a thousand come in every second, ten at a time: until its first line in a process that has run others,
 * with history and retries, against graphile-worker in its process. Milliseconds are whole ones for ours.
 */
import { enqueueMany } from '../core/queue/enqueue.ts'
import { type Bench, type BenchContext, interleave } from './bench.ts'
import type { BenchDatabase } from './database.ts'
import shortMark from './jobs/short-mark.ts'
import { compare, percentile } from './measurement.ts'
import { askWaits } from './peers/ask.ts'
import { peers } from './peers/peer.ts'
import { slots } from './short-jobs.ts'

const perSecond = 1000
const seconds = 20
/** At the start; not counted. */
const warmUpSeconds = 5
const jobs = perSecond * (seconds + warmUpSeconds)
/** One statement each: what a program that has so much to enqueue would do. */
const perCall = 10
const everyMs = (1000 * perCall) / perSecond
const deadlineSeconds = 60

export const pickUpBench: Bench = {
  name: 'pick-up',
  about: `from enqueue to the first line of the job at ${perSecond} jobs a second, for ${seconds} s`,
  defaultRounds: 3,
  async run(context) {
    const waits = await interleave(
      context,
      { ours: () => ourWaits(context), theirs: () => theirWaits(context) },
      { what: 'pick-up', warmUp: false },
    )
    const counted = (round: number[]) => round.slice(warmUpSeconds * perSecond)
    const at = (name: string, share: number) =>
      compare(
        { name, unit: 'ms', better: 'lower' },
        {
          label: `Job Server, ${slots} slots, processes reused`,
          // Less than its clock can tell is half of that.
          values: waits.ours.map((round) => Math.max(percentile(counted(round), share), 0.5)),
        },
        {
          label: `${peers.graphileWorker.label}, in its process`,
          values: waits.theirs.map((round) => percentile(counted(round), share)),
        },
      )
    return [at('enqueue to first line, p50', 0.5), at('enqueue to first line, p99', 0.99)]
  },
}

/** In the order in which they were sent. */
async function ourWaits({ stack }: BenchContext): Promise<number[]> {
  const database = await stack.openDatabase()
  const worker = await database.startWorker({ MAX_CONCURRENT_EXECUTIONS: String(slots) })
  const startedAt = performance.now()
  const sent: Promise<unknown>[] = []
  for (let call = 0; call < jobs / perCall; call++) {
    const early = startedAt + call * everyMs - performance.now()
    if (early > 0) await Bun.sleep(early)
    const input = { definitionKey: shortMark.key, params: { sentAtMs: Date.now() } }
    sent.push(
      enqueueMany(
        database.sql,
        Array.from({ length: perCall }, () => input),
      ),
    )
  }
  await Promise.all(sent)
  const waits = await readWaits(database)
  await worker.stop()
  await database.close()
  return waits
}

async function readWaits({ sql }: BenchDatabase): Promise<number[]> {
  const end = performance.now() + deadlineSeconds * 1000
  for (;;) {
    const rows = await sql<{ waitedMs: number }[]>`
      select (result ->> 'waitedMs')::float8 as waited_ms from job_server.job_history
      where definition_key = ${shortMark.key} and status = 'succeeded'
      order by (params ->> 'sentAtMs')::float8`
    if (rows.length === jobs) return rows.map(({ waitedMs }) => waitedMs)
    if (performance.now() > end) throw new Error(`of ${jobs} jobs ${rows.length} succeeded`)
    await Bun.sleep(500)
  }
}

async function theirWaits({ stack }: BenchContext): Promise<number[]> {
  const order = { peer: 'graphileWorker', measure: 'waits', jobs, perCall, everyMs } as const
  return await stack.withDatabase(({ url }) => askWaits(stack, { ...order, url }))
}
