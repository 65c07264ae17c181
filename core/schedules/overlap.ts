/** Whether a schedule may have another job while those of its earlier fires have not ended. */
import type { Sql } from '../db.ts'
import type { EnqueueInput } from '../queue/enqueue.ts'
import type { OverlapPolicy, Schedule } from './row.ts'

/**
 * Under `skip` and `queueOne` the jobs that have not ended are among the very latest; after a change from `allow` there
 * may be more.
 */
const latestFires = 100

/** The jobs of each schedule that have not ended, latest first; those with none are left out. */
export async function unendedJobs(sql: Sql, scheduleIds: string[]): Promise<Map<string, string[]>> {
  if (scheduleIds.length === 0) return new Map()
  // schedule_fires_jobs_idx, then jobs_pk for each: what has ended is not in `jobs`.
  const rows = await sql<{ scheduleId: string; jobIds: string[] }[]>`
    select given.id as schedule_id, array_agg(jobs.id order by fire_at desc) as job_ids
    from unnest(${scheduleIds}::uuid[]) as given (id)
    cross join lateral (
      select job_id, fire_at from job_server.schedule_fires
      where schedule_id = given.id and job_id is not null
      order by fire_at desc
      limit ${latestFires}
    ) as latest
    join job_server.jobs on jobs.id = latest.job_id
    group by given.id`
  return new Map(rows.map(({ scheduleId, jobIds }) => [scheduleId, jobIds]))
}

/**
 * @param unended jobs that have not ended; null for one that is about to be enqueued
 * @returns a sentence when there may not be another job; null when there may
 */
export function whyNotAnother(policy: OverlapPolicy, unended: (string | null)[]): string | null {
  const allowed = { allow: Number.POSITIVE_INFINITY, skip: 0, queueOne: 1 }[policy]
  if (unended.length <= allowed) return null
  const [latest] = unended
  const name = latest === null || latest === undefined ? 'A job' : `Job ${latest}`
  return policy === 'skip'
    ? `${name} of an earlier time has not ended.`
    : `${name} of an earlier time waits already for the one before it to end.`
}

/** Under `queueOne` a job waits for the one before it by the schedule's own concurrency key. */
export function jobOf(
  schedule: Pick<
    Schedule,
    'id' | 'definitionKey' | 'definitionVersion' | 'params' | 'priority' | 'queue' | 'overlap'
  >,
): EnqueueInput {
  const { id, definitionKey, definitionVersion, params, priority, queue, overlap } = schedule
  return {
    definitionKey,
    definitionVersion,
    params,
    priority,
    queue: queue ?? undefined,
    ...(overlap === 'queueOne' ? { concurrencyKey: `schedule:${id}`, concurrencyKeyLimit: 1 } : {}),
  }
}
