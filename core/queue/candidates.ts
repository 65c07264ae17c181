/**
 * The jobs among which a claim chooses, locked: the first of each lane, and where there are very many lanes, the first of
 * all.
 *
 * What is locked and not claimed is written in vain, and is hidden from others who claim meanwhile. From each of a few
 * lanes that is little, and one reading of them is the quickest way. From each of 10,000 it would be 10,000 times what is
 * claimed. There the first job of each lane is read without a lock; those of the lanes where the very first are get in one
 * line, and are locked from its front on.
 */
import type { Fragment, Sql } from '../db.ts'
import { lowestPriority } from './lane-cursors.ts'
import { type Beginnings, readyJobs } from './ready-jobs.ts'

export interface CandidatesOf {
  /** How many jobs are to be claimed. */
  limit: number
  /** Whether some of the lanes have room for fewer, as a definition has a limit. */
  hasRooms: boolean
  /** Whether lanes have a lowest priority of theirs. */
  hasShares: boolean
  /** Whether there are very many lanes. */
  crowded: boolean
}

/** CTEs, the last of which is `candidates`; of `open_lanes`. */
export function candidates(sql: Sql, of: CandidatesOf, from: Beginnings | undefined) {
  if (!of.crowded) return firstOfEach(sql, of, from)
  if (from === undefined) return firstOfAll(sql, of, undefined)
  // Lanes are read three times, and what is known of so many is sent and parsed once.
  return sql`
    known_ranges as materialized (select ${from.ranges} as ranges),
    ${firstOfAll(sql, of, { ...from, ranges: sql`(select ranges from known_ranges)` })}`
}

function firstOfEach(sql: Sql, { hasShares }: CandidatesOf, from: Beginnings | undefined) {
  return sql`
    candidates as materialized (
      select next.*, definition_key, definition_version, room
      from open_lanes
      cross join lateral (${readyJobs(
        sql,
        {
          lane: sql`open_lanes`,
          columns: columns(sql),
          limit: mostOfLane(sql),
          ...(hasShares ? { lowest: sql`open_lanes.lowest` } : {}),
          lock: true,
        },
        from,
      )}
      ) as next
    )`
}

/**
 * Others who claim at the same time see the same front, and one of them has locked it. So of each lane that has a part in
 * the front as many are taken as that part has, from behind those that are locked, of no lower priority; and where that is
 * not enough, as when each lane has one job, who is next in line. If the line is short, few lanes have jobs: then these
 * are read as a few lanes always are.
 */
function firstOfAll(sql: Sql, { limit, hasRooms, hasShares }: CandidatesOf, from: Beginnings | undefined) {
  const inOrder = sql`order by priority desc, turn_at, id`
  const longLine = limit + inLineBehind(limit)
  const isShort = sql`(select count(*) from line) < ${longLine}`
  const lowest = hasShares ? sql`open_lanes.lowest` : sql`${lowestPriority}::int`
  const firstOf = (lane: Fragment, lowest: Fragment, limit: Fragment) =>
    readyJobs(sql, { lane, columns: sql`jobs.id, priority, jobs.turn_at`, limit, lowest }, from)
  const jobsNear = sql`
    (
      select next.*, queue, definition_key, definition_version, room, is_limited, most, lowest
      from near cross join lateral (${firstOf(sql`near`, sql`near.lowest`, sql`near.most`)}) as next
    ) as jobs_near`
  return sql`
    heads as materialized (
      select next.*, queue, definition_key, definition_version, room, is_limited, ${mostOfLane(sql)} as most, ${lowest} as lowest
      from open_lanes
      cross join lateral (
        select * from (${firstOf(sql`open_lanes`, lowest, sql`least(${mostOfLane(sql)}, 1)`)}) as first ${inOrder} limit 1
      ) as next
    ),
    -- No other lane has one of so many that are first.
    near as materialized (
      select * from ${hasRooms ? withRoom(sql, sql`heads`) : sql`heads`} ${inOrder} limit ${longLine}
    ),
    line as materialized (
      select *
      from ${hasRooms ? withRoom(sql, jobsNear) : jobsNear}
      ${inOrder}
      limit ${longLine}
    ),
    front as materialized (
      select
        queue, definition_key, definition_version, room,
        case when ${isShort} then most else count(*) end as part,
        case when ${isShort} then lowest else min(priority) end as lowest
      from (select * from line ${inOrder} limit case when ${isShort} then ${longLine}::int else ${limit}::int end) as first
      group by queue, definition_key, definition_version, room, most, lowest
    ),
    from_front as materialized (
      select next.*, definition_key, definition_version, room
      from front
      cross join lateral (${readyJobs(
        sql,
        {
          lane: sql`front`,
          columns: columns(sql),
          limit: sql`front.part`,
          lowest: sql`front.lowest`,
          lock: true,
        },
        from,
      )}
      ) as next
    ),
    from_line as materialized (
      select next.*, definition_key, definition_version, room
      from (select * from line where id not in (select id from from_front) ${inOrder}) as others
      -- One after another, and only as far as it takes.
      cross join lateral (
        select ${columns(sql)} from job_server.jobs
        where jobs.id = others.id and state = 'ready'
        for update skip locked
      ) as next
      limit greatest(${limit} - (select count(*) from from_front), 0)
    ),
    candidates as materialized (
      select * from from_front
      union all
      select * from from_line
    )`
}

/** More than others are likely to hold at one time. */
function inLineBehind(limit: number): number {
  return 100 + 16 * limit
}

function mostOfLane(sql: Sql) {
  return sql`greatest(least(room, share), 0)`
}

/** Those for which there is room, whatever others do: who claims of a limited definition is alone. */
function withRoom(sql: Sql, jobs: Fragment) {
  return sql`
    (
      select * from (
        select *, row_number() over (partition by definition_key, definition_version order by priority desc, turn_at, id) as place
        from ${jobs}
      ) as placed
      where not is_limited or place <= room
    ) as with_room`
}

function columns(sql: Sql) {
  return sql`
    jobs.id, priority, jobs.turn_at,
    case when started_at is null or scheduled_at is not null then greatest(jobs.turn_at, scheduled_at) end as claimable_at`
}
