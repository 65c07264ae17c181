/**
 * What a deployment asks of PostgreSQL while nobody asks anything of it: statements a second, transaction control
 * included, as pg_stat_statements counts them. Each process has a role of its own, so that it can be told who sent what.
 */
import type { Bench } from './bench.ts'
import type { BenchDatabase } from './database.ts'
import { compare } from './measurement.ts'
import { peers } from './peers/peer.ts'

/** Two rounds of the upkeep of each minute. */
const observedSeconds = 120
/** All have started, and the upkeep that was due at the start is done. */
const settleSeconds = 15

const roles = { worker: 'bench_worker', api: 'bench_api', scheduler: 'bench_scheduler', peer: 'bench_peer' }
type Role = keyof typeof roles

export const idleBench: Bench = {
  name: 'idle',
  about: `statements a second of a worker, an API and a scheduler with nothing to do, over ${observedSeconds} s`,
  defaultRounds: 1,
  limitSeconds: 600,
  async run({ stack, rounds, onStep }) {
    const database = await stack.openDatabase({ counted: true })
    const theirs = await stack.openDatabase({ counted: true })
    const { sql } = database
    await sql`create extension pg_stat_statements`
    for (const role of Object.values(roles))
      await sql`create role ${sql(role)} superuser login password 'bench'`
    const as = (role: Role, { url } = database) => ({ DATABASE_URL: asRole(url, roles[role]) })
    await Promise.all([
      database.startApi(as('api')),
      database.startWorker(as('worker')),
      database.startScheduler(as('scheduler')),
    ])
    const order = { peer: 'graphileWorker', measure: 'idle', url: as('peer', theirs).DATABASE_URL }
    const peer = stack.startProcess('graphile-worker', 'bench/peers/process.ts', [JSON.stringify(order)])
    await Bun.sleep(settleSeconds * 1000)

    const passes: Record<Role, number>[] = []
    for (let round = 0; round < rounds; round++) {
      onStep(`round ${round + 1} of ${rounds}`)
      const before = await statementsOf(database)
      await Bun.sleep(observedSeconds * 1000)
      const after = await statementsOf(database)
      const perSecond = (role: Role) => (after[role] - before[role]) / observedSeconds
      passes.push({
        worker: perSecond('worker'),
        api: perSecond('api'),
        scheduler: perSecond('scheduler'),
        peer: perSecond('peer'),
      })
    }
    await peer.stop(0)
    await Promise.all([database.close(), theirs.close()])
    const against = (name: string, of: (pass: Record<Role, number>) => number) =>
      compare(
        { name, unit: 'statements/s', better: 'lower' },
        { label: 'Job Server', values: passes.map(of) },
        { label: peers.graphileWorker.label, values: passes.map((pass) => pass.peer) },
      )
    return [
      against('an idle worker', ({ worker }) => worker),
      against('an idle scheduler that leads', ({ scheduler }) => scheduler),
      against('an idle worker, API and scheduler', ({ worker, api, scheduler }) => worker + api + scheduler),
    ]
  },
}

function asRole(databaseUrl: string, role: string): string {
  const url = new URL(databaseUrl)
  url.username = role
  url.password = 'bench'
  return url.href
}

/** Since they were first counted, by who sent them. */
async function statementsOf({ sql }: BenchDatabase): Promise<Record<Role, number>> {
  const rows = await sql<{ role: string; calls: number }[]>`
    select rolname as role, sum(calls)::int as calls
    from pg_stat_statements join pg_roles on pg_roles.oid = userid
    group by rolname`
  const calls = (role: Role) => rows.find((row) => row.role === roles[role])?.calls ?? 0
  return { worker: calls('worker'), api: calls('api'), scheduler: calls('scheduler'), peer: calls('peer') }
}
