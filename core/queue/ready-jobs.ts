/** The jobs of a lane that are ready, in the order of claims: by priority, then by their turn. */
import type { Fragment, Sql } from '../db.ts'
import { highestPriority, type LaneCursors, lowestPriority } from './lane-cursors.ts'
import { jsonParameter } from './row.ts'

export interface ReadyJobs {
  /** Name of rows with the columns of `lanes`. */
  lane: Fragment
  columns: Fragment
  limit: Fragment
  /** The lowest priority that is wanted; left out: all are. */
  lowest?: Fragment
  /** Passes over those that others have locked. */
  lock?: boolean
}

/** Where lanes are read from, as cursors had it at one moment. */
export interface Beginnings {
  /** A jsonb value, as `LaneCursors.ranges` gives it. */
  ranges: Fragment
  stragglers: string[]
}

/** Once for all the statements of a claim: among thousands of lanes, to put it together takes as long as the claim. */
export function beginningsOf(sql: Sql, cursors: LaneCursors | undefined): Beginnings | undefined {
  if (cursors === undefined) return undefined
  return {
    ranges: sql`${sql.json(jsonParameter(cursors.ranges))}::jsonb`,
    stragglers: cursors.stragglers,
  }
}

/**
 * jobs_ready_idx, and jobs_pk for those behind the cursors, which come on top of the limit.
 * @param from left out: the lane is read from its head, in a statement that is planned sooner
 */
export function readyJobs(sql: Sql, asked: ReadyJobs, from?: Beginnings): Fragment {
  if (from === undefined) return inOrder(sql, asked)
  const { lane, limit } = asked
  const { ranges, stragglers } = from
  // One range after another is read, and only as far as it takes. A row comparison is where a scan of the index can
  // begin; a condition on the turn alone, below several priorities, only sorts out what it passes.
  return sql`
    (
      select found.*
      from (
        select
          coalesce(known.highest, ${highestPriority}) as highest, coalesce(known.lowest, ${lowestPriority}) as lowest,
          coalesce(known.turn_at, '-infinity') as turn_at, known.id
        from jsonb_to_recordset(coalesce(${ranges} #> ${pathOf(sql, lane)}, '[{}]')) as known (
          place int, highest int, lowest int, turn_at timestamptz, id uuid
        )
        order by place
      ) as ranges
      cross join lateral (
        select * from (${inOrder(
          sql,
          asked,
          sql`and ranges.id is not null and priority = ranges.highest and (turn_at, jobs.id) >= (ranges.turn_at, ranges.id)`,
        )}) as from_cursor
        union all
        select * from (${inOrder(
          sql,
          asked,
          sql`and ranges.id is null and priority between ranges.lowest and ranges.highest and jobs.turn_at >= ranges.turn_at`,
        )}) as between_cursors
      ) as found
      limit ${limit}
    )
    ${stragglers.length === 0 ? sql`` : sql`union all ${oneByOne(sql, asked, stragglers)}`}`
}

/**
 * Jobs that are ready with an earlier turn can be seen, as good as all of them: who enqueues, stages or admits has mostly
 * committed by then.
 */
export function turnsBefore(sql: Sql): Fragment {
  return sql`now() - interval '0.5 seconds'`
}

/** Of fixed width and in UTC, so that texts compare as times do. */
export function turnText(sql: Sql, turnAt: Fragment): Fragment {
  return sql`to_char((${turnAt}) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`
}

function inOrder(sql: Sql, { lane, columns, limit, lowest, lock }: ReadyJobs, within = sql``): Fragment {
  return sql`
    select ${columns} from job_server.jobs
    where state = 'ready' and jobs.queue = ${lane}.queue
      and jobs.definition_key = ${lane}.definition_key and jobs.definition_version = ${lane}.definition_version
      ${lowest === undefined ? sql`` : sql`and priority >= ${lowest}`}
      ${within}
    order by priority desc, jobs.turn_at, jobs.id
    limit ${limit}
    ${lock ? sql`for update skip locked` : sql``}`
}

/** Where `LaneCursors.ranges` has those of the lane. */
function pathOf(sql: Sql, lane: Fragment): Fragment {
  return sql`array[${lane}.queue, ${lane}.definition_key, ${lane}.definition_version::text]`
}

/** Each by a probe of its own: among all of them, the planner might well look for these few. */
function oneByOne(sql: Sql, { lane, columns, limit, lock }: ReadyJobs, ids: string[]): Fragment {
  return sql`
    (
      select job.*
      from unnest(${ids}::uuid[]) as straggler (id)
      cross join lateral (
        select ${columns} from job_server.jobs
        where jobs.id = straggler.id and state = 'ready' and jobs.queue = ${lane}.queue
          and jobs.definition_key = ${lane}.definition_key and jobs.definition_version = ${lane}.definition_version
        ${lock ? sql`for update skip locked` : sql``}
      ) as job
      limit ${limit}
    )`
}
