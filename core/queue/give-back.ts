/** Gives back what a claim took whose answer was lost: nobody runs it, and its lease would run out and be charged. */
import type { Pool } from '../db.ts'
import { endedAs, endJobs } from './end-jobs.ts'
import { release } from './release.ts'

/**
 * @param options.afterEpoch of the newest claim whose answer the worker got; it asks for no other before this is done
 * @returns how many jobs went back, uncharged
 */
export async function giveBackUnknown(
  sql: Pool,
  { workerId, afterEpoch }: { workerId: string; afterEpoch: string },
): Promise<number> {
  // jobs_lease_idx. Never renewed: what another of the same name keeps alive is its own. Skip locked, since claims wait for
  // this.
  const ended = await endJobs(
    sql,
    sql`
      select jobs.*, ${endedAs(sql, { kind: 'interrupted', outcome: 'interrupted' })}
      from job_server.jobs
      where lease_expires_at is not null and worker_id = ${workerId} and lease_epoch > ${afterEpoch}
        and heartbeat_at = started_at
      order by id
      for update skip locked`,
  )
  await release(sql, ended)
  return ended.length
}
