/** Changes a job that waits for its turn. */
import type { Sql } from '../db.ts'
import type { JobStatus } from '../job-state.ts'
import { statusIfAny } from './read.ts'
import { hintWork } from './wake.ts'

export type Updated = { kind: 'updated' } | { kind: 'not_found' } | { kind: 'not_queued'; status: JobStatus }

export interface JobChange {
  priority?: number | undefined
  /** Not before this time; null: now. A job that waits for others is not touched by it. */
  scheduledAt?: Date | null | undefined
}

export async function updateJob(sql: Sql, jobId: string, change: JobChange): Promise<Updated> {
  const { priority, scheduledAt } = change
  const reschedules = scheduledAt !== undefined
  // jobs_pk. The state in the WHERE is the guard: a claim that comes first leaves nothing to update.
  const rows = await sql`
    with changed as (
      update job_server.jobs set
        priority = coalesce(${priority ?? null}::int, priority)
        ${
          reschedules
            ? sql`,
              state = case
                when ${scheduledAt}::timestamptz > now() then 'scheduled'
                when state <> 'scheduled' then state
                when concurrency_key is null then 'ready'
                else 'blocked'
              end,
              -- Since when it can be claimed.
              scheduled_at = case
                when ${scheduledAt}::timestamptz > now() then ${scheduledAt}::timestamptz
                when state = 'scheduled' then now()
                else scheduled_at
              end,
              turn_at = case when state = 'scheduled' or ${scheduledAt}::timestamptz > now() then greatest(${scheduledAt}::timestamptz, now()) else turn_at end`
            : sql``
        }
      where id = ${jobId} and state ${reschedules ? sql`in ('scheduled', 'blocked', 'ready')` : sql`<> 'running'`}
      returning id, priority, scheduled_at
    ),
    noted as (
      insert into job_server.events (job_id, event_type, payload)
      select id, 'updated', jsonb_strip_nulls(jsonb_build_object('priority', priority, 'scheduledAt', scheduled_at))
      from changed
    )
    select id from changed`
  if (rows.length > 0) {
    hintWork(sql)
    return { kind: 'updated' }
  }
  const status = await statusIfAny(sql, jobId)
  return status === null ? { kind: 'not_found' } : { kind: 'not_queued', status }
}
