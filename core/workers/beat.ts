/** Keeps the list of workers and schedulers that live, for people to look at; leases do not depend on it. */
import type { Sql } from '../db.ts'
import type { JsonObject } from '../json.ts'
import type { Family } from '../metrics/exposition.ts'
import { jsonParameter } from '../queue/row.ts'

export interface Beat {
  id: string
  kind: 'worker' | 'scheduler'
  /** Jobs it runs at once. */
  slots: number
  info: JsonObject
  /** Of itself, since it started; default: none. */
  metrics?: Family[]
}

export async function beat(sql: Sql, sign: Beat): Promise<void> {
  await beating(sql, sign)
}

/** The same as a statement, or a part of one. */
export function beating(sql: Sql, { id, kind, slots, info, metrics = [] }: Beat) {
  return sql`
    insert into job_server.workers (id, kind, slots, info, metrics)
    values (${id}, ${kind}, ${slots}, ${sql.json(jsonParameter(info))}, ${sql.json(metrics)})
    on conflict on constraint workers_pk do update set
      kind = excluded.kind, slots = excluded.slots, info = excluded.info, metrics = excluded.metrics,
      heartbeat_at = now()`
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
