/** Removes lanes that are used no more, and what is counted by their queues. `core/queue/lanes.ts` says how that is safe. */
import { type Pool, plannedAnew, type Sql, waitBriefly } from '../db.ts'
import { liveGroups } from '../metrics/live.ts'
import { makeLanes, mayGo, noteUse } from '../queue/lanes.ts'
import { hintWork } from '../queue/wake.ts'

/** @returns how many were removed; `options.limit` at most */
export async function removeUnusedLanes(sql: Sql, options: { limit: number }): Promise<number> {
  await noteLanesInUse(sql)
  // All jobs are read once, where a lane may go at all: no index has those of a lane in whatever state, and one more
  // would be written to for each job. Jobs that were counted some time ago are no answer here.
  const removed = await plannedAnew(sql`
    delete from job_server.lanes
    where (queue, definition_key, definition_version) in (
      select queue, definition_key, definition_version from job_server.lanes
      where ${mayGo(sql)} and not exists (
        select from job_server.jobs
        where jobs.queue = lanes.queue and jobs.definition_key = lanes.definition_key
          and jobs.definition_version = lanes.definition_version
      )
      limit ${options.limit}
      -- Who holds one makes it anew.
      for update skip locked
    )`)
  if (removed.count > 0) await removeTotals(sql)
  return removed.count
}

/**
 * Makes lanes for ready jobs that have none: they could not be seen when their lane was removed. Jobs that are not ready
 * need none yet.
 * @returns how many were made
 */
export async function remakeLanes(sql: Pool): Promise<number> {
  const remade = await sql.begin(async (tx) => {
    await tx`select ${waitBriefly(tx)}`
    // A loose scan of jobs_ready_idx: one step a lane, however many jobs wait in it.
    return await tx`
      with recursive heads as (
        (
          select queue, definition_key, definition_version from job_server.jobs
          where state = 'ready'
          order by queue, definition_key, definition_version
          limit 1
        )
        union all
        select next.*
        from heads
        cross join lateral (
          select queue, definition_key, definition_version from job_server.jobs
          where state = 'ready' and (jobs.queue, jobs.definition_key, jobs.definition_version)
            > (heads.queue, heads.definition_key, heads.definition_version)
          order by queue, definition_key, definition_version
          limit 1
        ) as next
      ),
      lost as (
        select * from heads
        where (queue, definition_key, definition_version) not in (
          select queue, definition_key, definition_version from job_server.lanes
        )
      )
      ${makeLanes(tx, tx`lost`)}`
  })
  if (remade.count > 0) hintWork(sql)
  return remade.count
}

/** Those of definitions' own queues stay: enqueues in long transactions would wait for one another over the first job. */
async function noteLanesInUse(sql: Sql): Promise<void> {
  await plannedAnew(
    noteUse(
      sql,
      sql`(
        (queue, definition_key, definition_version) in (select queue, key, version from job_server.definitions)
        or (queue, definition_key, definition_version) in (
          select queue, definition_key, definition_version from (${liveGroups(sql)}) as live
        )
      )`,
    ),
  )
}

/** Else who asks for metrics would be told of every queue that ever was. */
async function removeTotals(sql: Sql): Promise<void> {
  await sql`delete from job_server.claim_totals where queue not in (select queue from job_server.lanes)`
}
