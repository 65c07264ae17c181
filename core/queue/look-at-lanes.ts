/**
 * Reads lanes from their heads, past all that was claimed before, beside claims that begin at their cursors: what is
 * ready behind those, and where lanes begin of which nothing is known.
 */
import type { Sql } from '../db.ts'
import type { LaneCursors, Ready } from './lane-cursors.ts'
import { type Lane, type Served, servedLanes } from './lanes.ts'
import { readyJobs, turnsBefore, turnText } from './ready-jobs.ts'

/** Of a lane. */
const limit = 50

/** @returns how many lanes and jobs were read, and how many of the jobs are behind the cursors */
export async function lookAtLanes(
  sql: Sql,
  served: Served,
  cursors: LaneCursors,
): Promise<{ lanes: number; jobs: number; stragglers: number }> {
  const known = cursors.known
  // lanes_pk, then jobs_ready_idx lane by lane.
  const rows = await sql<(Lane & { since: string; jobs: Pick<Ready, 'id' | 'priority' | 'turnAt'>[] })[]>`
    select
      served.queue, served.definition_key, served.definition_version, ${turnText(sql, turnsBefore(sql))} as since,
      array(
        select jsonb_build_object('id', id, 'priority', priority, 'turnAt', ${turnText(sql, sql`turn_at`)})
        from (${readyJobs(sql, { lane: sql`served`, columns: sql`jobs.id, priority, jobs.turn_at`, limit: sql`${limit}` })}) as ready
        order by priority desc, turn_at, id
      ) as jobs
    from (${servedLanes(sql, served)}) as served`
  const [first] = rows
  if (first === undefined) return { lanes: 0, jobs: 0, stragglers: 0 }
  const found = rows.map(({ jobs, since: _since, ...lane }) => ({
    lane,
    jobs: jobs.map((job) => ({ ...lane, ...job })),
  }))
  cursors.looked(known, found, limit, first.since)
  return {
    lanes: found.length,
    jobs: found.reduce((sum, { jobs }) => sum + jobs.length, 0),
    stragglers: cursors.stragglers.length,
  }
}
