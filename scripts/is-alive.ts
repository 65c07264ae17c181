/**
 * `bun scripts/is-alive.ts api|worker|scheduler`: the health check inside a container of that program; ends with 1 when
 * the program hangs. A worker or scheduler hangs when the database has not heard of it for a while. That the database
 * itself can't be reached is no reason to kill those that wait for it: it passes then, with a line that says so.
 */
import { hostname } from 'node:os'
import { configWithoutStorageOrExit } from '../core/config-or-exit.ts'
import { askAnew } from '../core/db.ts'
import { listWorkers, type WorkerView } from '../core/workers/read.ts'

const patienceMs = 4000

const program = process.argv[2] ?? ''
if (!['api', 'worker', 'scheduler'].includes(program)) {
  console.error('Which program? One of api, worker, scheduler.')
  process.exit(2)
}
const config = configWithoutStorageOrExit(process.env)
process.exit((await (program === 'api' ? apiAnswers() : isHeardOf())) ? 0 : 1)

async function apiAnswers(): Promise<boolean> {
  const host = config.HOST === '0.0.0.0' || config.HOST === '::' ? '127.0.0.1' : config.HOST
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${config.PORT}/healthz`
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(patienceMs) })).ok
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    return false
  }
}

async function isHeardOf(): Promise<boolean> {
  const rows = await askAnew(config, 'job-server is-alive', patienceMs, listWorkers)
  if (rows === null) {
    console.log('The database does not answer, so nobody can tell.')
    return true
  }
  const mine = rows.filter(isMine)
  if (mine.some(({ alive }) => alive)) return true
  console.error(mine.length === 0 ? 'The database does not know of it.' : 'It was not heard of lately.')
  return false
}

/** A container has a host name of its own, which begins the name of what runs in it. */
function isMine({ id, kind }: WorkerView): boolean {
  return kind === program && (id === config.WORKER_ID || id.startsWith(`${hostname()}:`))
}
