/** What 100,000 jobs that may not run yet cost those that may: ours under two concurrency keys, graphile-worker's in two named queues. */
import { type Bench, type BenchContext, interleave } from './bench.ts'
import { compare } from './measurement.ts'
import { askRate } from './peers/ask.ts'
import { peers } from './peers/peer.ts'
import { seedBlocked } from './queue-load.ts'
import { shortJobRate } from './short-jobs.ts'

const keys = ['a', 'b']
const blockedJobs = 100_000
const ourJobs = 20_000
/** With so many blocked jobs before them it does a hundredth of what it does else: a round has to end. */
const theirJobs = 3_000

export const blockedBench: Bench = {
  name: 'blocked',
  about: '100,000 jobs of higher priority that wait for two keys, before jobs that could run',
  defaultRounds: 3,
  limitSeconds: 600,
  async run(context) {
    const rates = await interleave(
      context,
      {
        ours: () => ourRate(context, { isBlocked: true }),
        oursFree: () => ourRate(context, { isBlocked: false }),
        theirs: () => theirRate(context, { isBlocked: true }),
        theirsFree: () => theirRate(context, { isBlocked: false }),
      },
      { what: 'blocked jobs', warmUp: false },
    )
    const beside = (who: string, blocked: number[], free: number[]) =>
      compare(
        {
          name: `${who}, empty jobs with 100,000 blocked ones before them`,
          unit: 'jobs/s',
          better: 'higher',
        },
        { label: 'with them', values: blocked },
        { label: 'without', values: free },
      )
    return [
      beside('Job Server, two concurrency keys', rates.ours, rates.oursFree),
      beside(`two named queues of ${peers.graphileWorkerBatching.label}`, rates.theirs, rates.theirsFree),
    ]
  },
}

async function ourRate({ stack }: BenchContext, { isBlocked }: { isBlocked: boolean }): Promise<number> {
  return await stack.withDatabase(async (database) => {
    if (isBlocked) await seedBlocked(database, { keys, priority: 10 })
    await database.sql`vacuum (analyze)`
    return await shortJobRate(database, { jobs: ourJobs })
  })
}

async function theirRate({ stack }: BenchContext, { isBlocked }: { isBlocked: boolean }): Promise<number> {
  return await stack.withDatabase(({ url }) =>
    askRate(stack, {
      peer: 'graphileWorkerBatching',
      measure: 'jobs',
      url,
      jobs: theirJobs,
      ...(isBlocked ? { blocked: { jobs: blockedJobs, lanes: keys } } : {}),
    }),
  )
}
