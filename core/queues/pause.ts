/** Pauses queues: their jobs wait, and what runs goes on. */
import type { Sql } from '../db.ts'
import { hintWork } from '../queue/wake.ts'

/** Pausing twice keeps the first time. */
export async function pauseQueue(sql: Sql, name: string): Promise<void> {
  await sql`
    insert into job_server.queues as known (name, paused_at) values (${name}, now())
    on conflict on constraint queues_pk do update set paused_at = coalesce(known.paused_at, excluded.paused_at)`
}

export async function resumeQueue(sql: Sql, name: string): Promise<void> {
  await sql`update job_server.queues set paused_at = null where name = ${name}`
  hintWork(sql)
}
