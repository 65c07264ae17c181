/**
 * Entry of a peer's process: it fills its queue, works it off, and prints what it measured as one line of JSON. Each
 * measurement has a process of its own, as ours has its worker. Its one argument is a `PeerOrder` as JSON.
 */
import { bullmq, bullmqPostgres, bullmqSandboxed } from './bullmq.ts'
import { graphileWorker, graphileWorkerBatching } from './graphile-worker.ts'
import type { OpenPeer, PeerOrder } from './peer.ts'
import { pgBoss } from './pg-boss.ts'

const peers = { graphileWorker, graphileWorkerBatching, pgBoss, bullmq, bullmqSandboxed, bullmqPostgres }
const pollMs = 10

process.send?.('ready')
const order: PeerOrder = JSON.parse(process.argv[2] ?? '{}')
const peer = await peers[order.peer].open(order.url)
const answer = await measure(peer, order)
await peer.close()
console.log(JSON.stringify(answer))
process.exit(0)

async function measure(peer: OpenPeer, order: PeerOrder): Promise<unknown> {
  if (order.measure === 'jobs') return await jobsPerSecond(peer, order)
  if (order.measure === 'enqueue') return await enqueuePerSecond(peer, order)
  return await waits(peer, order)
}

/** Jobs a second, from when the warm-up is worked off until all are written down as done. */
async function jobsPerSecond(
  peer: OpenPeer,
  { jobs, warmUp, blocked }: Extract<PeerOrder, { measure: 'jobs' }>,
): Promise<number> {
  if (blocked !== undefined) await peer.enqueueBlocked?.(blocked.jobs, blocked.lanes)
  await peer.enqueue(warmUp + jobs)
  await peer.work(() => {})
  const counted = await until(peer, jobs)
  const startedAt = performance.now()
  await until(peer, 0)
  return (counted * 1000) / (performance.now() - startedAt)
}

async function enqueuePerSecond(peer: OpenPeer, { jobs }: { jobs: number }): Promise<number> {
  await peer.enqueue(1000)
  const startedAt = performance.now()
  await peer.enqueue(jobs)
  return (jobs * 1000) / (performance.now() - startedAt)
}

/** Milliseconds from before a job is enqueued to the first line of its code, of jobs at fixed distances. */
async function waits(peer: OpenPeer, order: { jobs: number; everyMs: number }): Promise<number[]> {
  const { jobs, everyMs } = order
  const waited: number[] = []
  const all = Promise.withResolvers<void>()
  await peer.work(({ sentAtMs }) => {
    waited.push(performance.timeOrigin + performance.now() - (sentAtMs ?? 0))
    if (waited.length === jobs) all.resolve()
  })
  const startedAt = performance.now()
  const sent: (Promise<void> | undefined)[] = []
  for (let count = 0; count < jobs; count++) {
    const early = startedAt + count * everyMs - performance.now()
    if (early > 0) await Bun.sleep(early)
    sent.push(peer.enqueueOne?.({ sentAtMs: performance.timeOrigin + performance.now() }))
  }
  await Promise.all(sent)
  await all.promise
  return waited
}

/** @returns how many are left, once they are no more than that */
async function until(peer: OpenPeer, limit: number): Promise<number> {
  for (;;) {
    const left = await peer.left()
    if (left <= limit) return left
    await Bun.sleep(pollMs)
  }
}
