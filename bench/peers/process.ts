/**
 * Entry of a peer's process: it fills its queue, works it off, and prints what it measured as one line of JSON. Each
 * measurement has a process of its own, as ours has its worker. Its one argument is a `PeerOrder` as JSON.
 */
import { warmUpOf } from '../warm-up.ts'
import { openBullmq, openBullmqPostgres, openBullmqSandboxed } from './bullmq.ts'
import { openGraphileWorker, openGraphileWorkerBatching } from './graphile-worker.ts'
import type { OpenPeer, PeerName, PeerOrder } from './peer.ts'
import { openPgBoss } from './pg-boss.ts'

const opened: Record<PeerName, (url: string) => Promise<OpenPeer>> = {
  graphileWorker: openGraphileWorker,
  graphileWorkerBatching: openGraphileWorkerBatching,
  pgBoss: openPgBoss,
  bullmq: openBullmq,
  bullmqSandboxed: openBullmqSandboxed,
  bullmqPostgres: openBullmqPostgres,
}
const pollMs = 10
const perCall = 1000

process.send?.('ready')
const order: PeerOrder = JSON.parse(process.argv[2] ?? '{}')
const peer = await opened[order.peer](order.url)
const answer = await measure(peer, order)
await peer.close()
console.log(JSON.stringify(answer))
process.exit(0)

async function measure(peer: OpenPeer, order: PeerOrder): Promise<unknown> {
  if (order.measure === 'jobs') return await jobsPerSecond(peer, order)
  if (order.measure === 'enqueue') return await enqueuePerSecond(peer, order)
  if (order.measure === 'idle') return await idle(peer)
  if (order.measure === 'sustained') return await sustainedPerSecond(peer, order)
  return await waits(peer, order)
}

/** Jobs a second, from when the warm-up is worked off until all are written down as done. */
async function jobsPerSecond(
  peer: OpenPeer,
  { jobs, blocked }: Extract<PeerOrder, { measure: 'jobs' }>,
): Promise<number> {
  if (blocked !== undefined) await peer.enqueueBlocked?.(blocked.jobs, blocked.lanes)
  await peer.enqueue(warmUpOf(jobs) + jobs)
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

async function idle(peer: OpenPeer): Promise<never> {
  await peer.work(() => {})
  return await new Promise(() => {})
}

/** Jobs a second over the whole time, with a backlog that is filled up as it is worked off. */
async function sustainedPerSecond(
  peer: OpenPeer,
  { seconds, backlog }: Extract<PeerOrder, { measure: 'sustained' }>,
): Promise<number> {
  let done = 0
  await peer.enqueue(backlog)
  await peer.work(() => {
    done++
  })
  const startedAt = performance.now()
  for (let enqueued = backlog; performance.now() - startedAt < seconds * 1000; ) {
    const room = backlog - (enqueued - done)
    if (room >= perCall) await peer.enqueue(perCall)
    else await Bun.sleep(pollMs)
    if (room >= perCall) enqueued += perCall
  }
  return (done * 1000) / (performance.now() - startedAt)
}

/** Milliseconds from before jobs are enqueued to the first line of each, with calls at fixed distances. */
async function waits(
  peer: OpenPeer,
  { jobs, perCall, everyMs }: Extract<PeerOrder, { measure: 'waits' }>,
): Promise<number[]> {
  const waited: number[] = []
  const all = Promise.withResolvers<void>()
  await peer.work(({ sentAtMs = 0 }) => {
    waited.push(performance.now() - sentAtMs)
    if (waited.length === jobs) all.resolve()
  })
  const startedAt = performance.now()
  const sent: Promise<void>[] = []
  for (let call = 0; call < jobs / perCall; call++) {
    const early = startedAt + call * everyMs - performance.now()
    if (early > 0) await Bun.sleep(early)
    sent.push(peer.enqueue(perCall, { sentAtMs: performance.now() }))
  }
  await Promise.all([...sent, all.promise])
  return waited
}

/** @returns how many are left, once they are no more than that */
async function until(peer: OpenPeer, limit: number): Promise<number> {
  for (;;) {
    const left = await peer.left(limit)
    if (left <= limit) return left
    await Bun.sleep(pollMs)
  }
}
