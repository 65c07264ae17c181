/** Pauses queues: their jobs wait, and what runs goes on. */
import type { Sql } from '../db.ts'
import { withdraw } from '../queue/admit.ts'
import { hintWork } from '../queue/wake.ts'

/** Pausing twice keeps the first time. */
export async function pauseQueue(sql: Sql, name: string): Promise<void> {
  await sql`
    insert into job_server.queues as known (name, paused_at) values (${name}, now())
    on conflict on constraint queues_pk do update set paused_at = coalesce(known.paused_at, excluded.paused_at)`
  await withdraw(sql)
  // Others of the keys that its jobs held may have their turn.
  hintWork(sql)
}

export async function resumeQueue(sql: Sql, name: string): Promise<void> {
  await sql`delete from job_server.queues where name = ${name}`
  hintWork(sql)
}
