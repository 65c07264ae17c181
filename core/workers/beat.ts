/** Keeps the list of workers and schedulers that live, for people to look at; leases do not depend on it. */
import type { Sql } from '../db.ts'
import type { JsonObject } from '../json.ts'
import { jsonParameter } from '../queue/row.ts'

export interface Beat {
  id: string
  kind: 'worker' | 'scheduler'
  /** Jobs it runs at once. */
  slots: number
  info: JsonObject
}

export async function beat(sql: Sql, { id, kind, slots, info }: Beat): Promise<void> {
  await sql`
    insert into job_server.workers (id, kind, slots, info)
    values (${id}, ${kind}, ${slots}, ${sql.json(jsonParameter(info))})
    on conflict on constraint workers_pk do update set
      kind = excluded.kind, slots = excluded.slots, info = excluded.info, heartbeat_at = now()`
}

/** Gone on purpose: it need not be missed. */
export async function signOff(sql: Sql, id: string): Promise<void> {
  await sql`delete from job_server.workers where id = ${id}`
}

/** @returns how many of those silent for so long were forgotten */
export async function forgetSilent(sql: Sql, options: { afterSeconds: number }): Promise<number> {
  const forgotten = await sql`
    delete from job_server.workers where heartbeat_at < now() - make_interval(secs => ${options.afterSeconds})`
  return forgotten.count
}
