import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import type { Config } from '../config.ts'

/**
 * The name that a worker or scheduler goes by. Host name and process id are not enough: containers that share the network
 * of their host have the same.
 */
export function nameOfProcess({ WORKER_ID: given }: Pick<Config, 'WORKER_ID'>): string {
  return given ?? `${hostname()}:${process.pid}:${randomBytes(3).toString('hex')}`
}
