/** Jobs that do nothing, a second: through our worker with history and events, and through the peers as they advise. */
import { type Bench, type BenchContext, interleave } from './bench.ts'
import { compare } from './measurement.ts'
import { askRate } from './peers/ask.ts'
import { type Peer, type PeerName, peers } from './peers/peer.ts'
import { shortJobRate, shortJobsLabel } from './short-jobs.ts'

const ourJobs = 30_000

export const peersBench: Bench = {
  name: 'peers',
  about: 'jobs that do nothing, worked off from a full queue, against the peers',
  defaultRounds: 3,
  limitSeconds: 600,
  async run(context) {
    const redis = await context.stack.openRedis()
    if (redis === null) context.onStep('no redis-server on PATH: BullMQ on Redis is left out')
    const compared = Object.entries(peers).filter(([, { store }]) => store !== 'redis' || redis !== null)
    const sides: Record<string, () => Promise<number>> = { ours: () => ourRate(context) }
    for (const [name, peer] of compared) {
      sides[name] = () => rateOf(context, name as PeerName, peer, redis)
    }
    const rates = await interleave(context, sides, { what: 'jobs that do nothing', warmUp: false })
    return compared.map(([name, { label }]) =>
      compare(
        { name: `empty jobs against ${name}`, unit: 'jobs/s', better: 'higher' },
        { label: shortJobsLabel, values: rates.ours ?? [] },
        { label, values: rates[name] ?? [] },
      ),
    )
  },
}

async function ourRate({ stack }: BenchContext): Promise<number> {
  return await stack.withDatabase((database) => shortJobRate(database, { jobs: ourJobs }))
}

async function rateOf(
  { stack }: BenchContext,
  name: PeerName,
  { jobs, store }: Peer,
  redis: string | null,
): Promise<number> {
  const order = { peer: name, measure: 'jobs', jobs } as const
  if (store === 'redis') return await askRate(stack, { ...order, url: redis ?? '' })
  return await stack.withDatabase(({ url }) => askRate(stack, { ...order, url }))
}
