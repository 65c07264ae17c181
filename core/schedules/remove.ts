/** Removes a schedule and its history; jobs that it enqueued go on. */
import type { Sql } from '../db.ts'

/**
 * One that is defined in code comes back when a worker that has the code starts.
 * @returns whether there was such a schedule
 */
export async function removeSchedule(sql: Sql, id: string): Promise<boolean> {
  const removed = await sql`delete from job_server.schedules where id = ${id}`
  return removed.count > 0
}
