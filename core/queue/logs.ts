/** What running jobs write: standard output and error by lines, and their log. */
import type { Sql } from '../db.ts'
import { type JsonObject, storable } from '../json.ts'
import { probe } from './probe.ts'
import { jsonParameter, type Lease } from './row.ts'

export interface LogEntry {
  lease: Lease
  stream: 'stdout' | 'stderr' | 'log'
  level: 'debug' | 'info' | 'warn' | 'error' | null
  at: Date
  text: string
  fields: JsonObject | null
}

/** Entries under a lease that is no longer the job's are dropped. */
export async function writeLogs(sql: Sql, entries: LogEntry[]): Promise<void> {
  if (entries.length === 0) return
  const rows = entries.map(({ lease, at, ...entry }) => ({
    ...entry,
    job_id: lease.jobId,
    epoch: lease.epoch,
    at: at.toISOString(),
  }))
  await sql`
    insert into job_server.logs (job_id, lease_epoch, at, stream, level, text, fields)
    select given.job_id, given.epoch, given.at, given.stream, given.level, given.text, given.fields
    from rows from (
      jsonb_to_recordset(${sql.json(jsonParameter(storable(rows)))}) as (
        job_id uuid, epoch bigint, at timestamptz, stream text, level text, text text, fields jsonb
      )
    ) with ordinality as given (job_id, epoch, at, stream, level, text, fields, place)
    join job_server.jobs on ${probe(sql, sql`jobs.id`, sql`given.job_id`)} and jobs.lease_epoch = given.epoch
    order by given.place`
}

export interface LogView {
  id: string
  at: Date
  stream: LogEntry['stream']
  level: LogEntry['level']
  text: string
  fields: JsonObject | null
}

/** Oldest first. @param after the id of the last entry that is already known */
export async function readLogs(
  sql: Sql,
  jobId: string,
  { after = '0', limit }: { after?: string; limit: number },
): Promise<LogView[]> {
  // logs_pk
  return await sql<LogView[]>`
    select id, at, stream, level, text, fields from job_server.logs
    where job_id = ${jobId} and id > ${after}
    order by id
    limit ${limit}`
}
