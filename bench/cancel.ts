/**
 * How long a running job does not know that it was cancelled: from the request to the API until the signal in its process
 * aborts, against a bare NOTIFY on the same PostgreSQL.
 */
import { z } from 'zod'
import { type Bench, timeOfDayMs } from './bench.ts'
import type { BenchDatabase } from './database.ts'
import wait from './jobs/wait.ts'
import { compare, percentile } from './measurement.ts'
import { bareNotify, openNotify } from './notify.ts'

const jobs = 50
const pollMs = 5

const Enqueued = z.object({ jobId: z.string() })
const Stopped = z.object({ atMs: z.number() })

export const cancelBench: Bench = {
  name: 'cancel',
  about: `from the request to cancel until the job's own signal aborts, ${jobs} jobs one after the other`,
  defaultRounds: 5,
  async run({ stack, rounds, onStep }) {
    const database = await stack.openDatabase()
    const [api] = await Promise.all([database.startApi(), database.startWorker()])
    const bare = await openNotify(database.url)
    const passes: { cancel: number[]; bare: number[] }[] = []
    for (let round = 0; round < rounds; round++) {
      onStep(`round ${round + 1} of ${rounds}`)
      const pass = { cancel: [] as number[], bare: [] as number[] }
      for (let count = 0; count < jobs / rounds; count++) {
        pass.cancel.push(await untilStopped(database, api.url))
        pass.bare.push(await bare.roundTrip())
      }
      passes.push(pass)
    }
    await bare.close()
    await database.close()
    const measured = (name: string, of: (side: 'cancel' | 'bare') => number[]) =>
      compare(
        { name, unit: 'ms', better: 'lower' },
        { label: 'Job Server', values: of('cancel') },
        { label: bareNotify, values: of('bare') },
      )
    return [
      measured('cancel to abort in the job, p50', (side) =>
        passes.map((pass) => percentile(pass[side], 0.5)),
      ),
      measured('cancel to abort in the job, p99 over all rounds', (side) => [
        percentile(
          passes.flatMap((pass) => pass[side]),
          0.99,
        ),
      ]),
    ]
  },
}

/** Milliseconds from before the request is sent. */
async function untilStopped(database: BenchDatabase, apiUrl: string): Promise<number> {
  const enqueued = await post(`${apiUrl}/v1/jobs`, { definitionKey: wait.key })
  const { jobId } = Enqueued.parse(enqueued)
  await eventOf(database, jobId, 'waiting')
  const sentAtMs = timeOfDayMs()
  await post(`${apiUrl}/v1/jobs/${jobId}/cancel`)
  return Stopped.parse(await eventOf(database, jobId, 'stopped')).atMs - sentAtMs
}

async function post(url: string, body?: object): Promise<unknown> {
  const response = await fetch(url, {
    method: 'POST',
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  })
  if (!response.ok) throw new Error(`the API answered ${response.status}: ${await response.text()}`)
  return await response.json()
}

/** The payload of the job's event, once it is there. */
async function eventOf(database: BenchDatabase, jobId: string, type: string): Promise<unknown> {
  for (;;) {
    const [event] = await database.sql<{ payload: unknown }[]>`
      select payload from job_server.events where job_id = ${jobId} and event_type = ${type}`
    if (event !== undefined) return event.payload
    await Bun.sleep(pollMs)
  }
}
