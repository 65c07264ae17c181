/** Breaks things at random, reproducibly: what comes next is decided by the seed alone. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import postgres from 'postgres'
import type { ChildProcess } from '../../scripts/child-process.ts'
import { type EmbeddedServer, startPostgres } from '../../scripts/embedded/servers.ts'
import { childrenOf, killQuietly } from '../support/processes.ts'

export interface Scene {
  /** Each is replaced when it has ended, however it ended. */
  workers: ChildProcess[]
  database: EmbeddedServer
  databaseOptions: Parameters<typeof startPostgres>[0]
  leaseSeconds: number
}

export type Mischief =
  | 'kill a job process'
  | 'kill a coordinator'
  | 'pause a coordinator beyond its lease'
  | 'restart PostgreSQL'
  | 'crash PostgreSQL'
  | 'cut the connections'
  | 'deafen the listeners'
  | 'drain a coordinator'

const weights: [Mischief, number][] = [
  ['kill a job process', 10],
  ['kill a coordinator', 4],
  ['pause a coordinator beyond its lease', 2],
  ['restart PostgreSQL', 1],
  ['crash PostgreSQL', 1],
  ['cut the connections', 3],
  ['deafen the listeners', 3],
  ['drain a coordinator', 2],
]

export function chooseMischief(random: () => number): Mischief {
  const total = weights.reduce((sum, [, weight]) => sum + weight, 0)
  let left = random() * total
  for (const [mischief, weight] of weights) {
    left -= weight
    if (left < 0) return mischief
  }
  return 'kill a job process'
}

export async function doMischief(mischief: Mischief, scene: Scene, random: () => number): Promise<void> {
  const place = Math.floor(random() * scene.workers.length)
  const worker = scene.workers[place]
  switch (mischief) {
    case 'kill a job process': {
      const victims = worker === undefined ? [] : await childrenOf(worker.pid)
      const victim = victims[Math.floor(random() * victims.length)]
      if (victim !== undefined) killQuietly(victim, 'SIGKILL')
      return
    }
    case 'kill a coordinator':
      worker?.signal('SIGKILL')
      await worker?.exited
      return
    case 'drain a coordinator':
      await worker?.stop(30)
      return
    case 'pause a coordinator beyond its lease':
      worker?.signal('SIGSTOP')
      // The pause is the mischief itself, not a wait for anything.
      await Bun.sleep(scene.leaseSeconds * 1500)
      worker?.signal('SIGCONT')
      return
    case 'restart PostgreSQL':
      await scene.database.stop()
      scene.database = await startPostgres(scene.databaseOptions)
      return
    case 'crash PostgreSQL': {
      const pidFile = await readFile(join(scene.databaseOptions.directory, 'postmaster.pid'), 'utf8')
      killQuietly(Number.parseInt(pidFile, 10), 'SIGQUIT')
      await scene.database.stop()
      scene.database = await startPostgres(scene.databaseOptions)
      return
    }
    case 'cut the connections':
      await terminate(scene, '')
      return
    case 'deafen the listeners':
      await terminate(scene, "and application_name like '% listener'")
      return
  }
}

async function terminate(scene: Scene, which: string): Promise<void> {
  const admin = postgres(scene.database.environment.DATABASE_URL ?? '', { max: 1, onnotice: () => {} })
  await admin.unsafe(
    `select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'job-server worker%' ${which}`,
  )
  await admin.end()
}
