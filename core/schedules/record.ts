/** Writes down what became of fire times. */
import type { Sql } from '../db.ts'
import { jsonParameter } from '../queue/row.ts'
import type { Fire } from './read.ts'

export type FireRecord = Pick<
  Fire,
  'fireAt' | 'outcome' | 'jobId' | 'missedThrough' | 'missedTimes' | 'reason'
> & {
  scheduleId: string
}

/** @returns how many were written: not those of times that were recorded before */
export async function recordFires(sql: Sql, records: FireRecord[]): Promise<number> {
  const rows = records.map((record) => ({
    ...record,
    fireAt: record.fireAt.toISOString(),
    missedThrough: record.missedThrough?.toISOString() ?? null,
  }))
  const written = await sql`
    insert into job_server.schedule_fires (
      schedule_id, fire_at, outcome, job_id, missed_through, missed_times, reason
    )
    select "scheduleId", "fireAt", outcome, "jobId", "missedThrough", "missedTimes", reason
    from jsonb_to_recordset(${sql.json(jsonParameter(rows))}) as given (
      "scheduleId" uuid, "fireAt" timestamptz, outcome text, "jobId" uuid, "missedThrough" timestamptz,
      "missedTimes" int, reason text
    )
    on conflict on constraint schedule_fires_pk do nothing`
  return written.count
}
