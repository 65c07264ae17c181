/** Reads the events of a job. */
import type { Sql } from '../db.ts'
import type { JsonObject } from '../json.ts'

export interface EventView {
  id: string
  eventType: string
  at: Date
  payload: JsonObject
}

/** Oldest first. An unknown job has none. */
export async function readEvents(sql: Sql, jobId: string): Promise<EventView[]> {
  return await sql<EventView[]>`
    select id, event_type, at, payload from job_server.events where job_id = ${jobId} order by id`
}
