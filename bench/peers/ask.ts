/** Has a peer measured in a process of its own. */
import { z } from 'zod'
import type { BenchStack } from '../stack.ts'
import type { PeerOrder } from './peer.ts'

/** @throws Error with what the process wrote when it fails */
async function ask(stack: BenchStack, order: PeerOrder): Promise<unknown> {
  const child = stack.startProcess(order.peer, 'bench/peers/process.ts', [JSON.stringify(order)])
  const status = await child.exited
  if (status !== 0) throw new Error(`${order.peer} ended with status ${status}:\n${child.lastLines}`)
  return JSON.parse(child.lastLines.split('\n').at(-1) ?? '')
}

/** @returns a rate a second */
export async function askRate(
  stack: BenchStack,
  order: Extract<PeerOrder, { measure: 'jobs' | 'enqueue' | 'sustained' }>,
): Promise<number> {
  return z.number().parse(await ask(stack, order))
}

/** @returns milliseconds, one a job */
export async function askWaits(
  stack: BenchStack,
  order: Extract<PeerOrder, { measure: 'waits' }>,
): Promise<number[]> {
  return z.array(z.number()).parse(await ask(stack, order))
}
