/**
 * Takes jobs that are ready, each with a lease of its own: a fresh epoch from one sequence, never used twice,
 * that every later write of the owner must name.
 *
 * Jobs stand in lanes, one for each queue and definition; a claim reads the heads of the lanes it may serve and
 * nothing else. Definitions with a limit on concurrency or rate have room for so many more; their claims take turns
 * by a lock a definition, and the room is counted from the jobs that run and the starts that are remembered, so the
 * limit holds over all workers and nothing can leak.
 */
import type { BackoffPolicy } from '../backoff.ts'
import { endWhenStill, type Fragment, type Pool, type Sql } from '../db.ts'
import { definitionName } from '../definitions/name.ts'
import type { Json, JsonObject } from '../json.ts'
import { tallyClaims } from '../metrics/tally.ts'
import { candidates } from './candidates.ts'
import { type LaneCursors, lowestPriority } from './lane-cursors.ts'
import { type Lane, namesOf, type Served, servedLanes } from './lanes.ts'
import { probe } from './probe.ts'
import { type Beginnings, beginningsOf, turnsBefore, turnText } from './ready-jobs.ts'
import type { Lease } from './row.ts'
import { hasReadyJobs } from './stage.ts'

export interface ClaimedJob {
  lease: Lease
  definitionKey: string
  definitionVersion: number
  attempt: number
  maxAttempts: number
  timeoutSeconds: number
  /** On top of the definition's policy. */
  backoff: Partial<BackoffPolicy> | null
  priority: number
  params: JsonObject
  checkpoint: Json
  /** Set when children of the job have ended, whose results this attempt gets (`readChildren`). */
  childrenSince: Date | null
  queue: string
  queuedAt: Date
  /** On the database's clock. */
  startedAt: Date
  /** Since when it could have been claimed; null where that is not known. */
  claimableAt: Date | null
  /** Where it belongs in the trace of who enqueued it. */
  traceparent: string | null
  tracestate: string | null
}

export interface ClaimRequest extends Served {
  workerId: string
  limit: number
  leaseSeconds: number
  /**
   * Lanes that may give all of the jobs; of the others each gives its share, and nothing below the priority. Left out: all
   * may. What is read is locked, and mostly let go again: with 64 queues that would be 64 times what is claimed.
   */
  mostlyFrom?: { lanes: Lane[]; priority: number }
  /** Where lanes are read from, and what this claim adds to that. Left out: from their heads. */
  cursors?: LaneCursors | undefined
}

/** What `stage` knows. */
export interface ClaimOptions {
  /** Whether definitions with a limit are looked at too, which takes a transaction. */
  limited: boolean
  /** How many there are: among very many the claim is the same, by another way. Default 0. */
  lanes?: number
}

/** By far more than a worker has definitions. */
const fewLanes = 200

/** Up to `limit` jobs, highest priority first, oldest first among equals. Jobs others hold are passed over. */
export async function claim(
  sql: Pool,
  request: ClaimRequest,
  { limited: isLimited, lanes = 0 }: ClaimOptions,
): Promise<ClaimedJob[]> {
  if (request.limit < 1 || request.definitions.length === 0) return []
  const crowded = lanes > fewLanes
  const from = beginningsOf(sql, request.cursors)
  if (!isLimited) return await claimFrom(sql, request, { limited: [], crowded, from })
  return await sql.begin(async (tx) => {
    const limited = await lockLimited(tx, request.definitions, from)
    // A statement of its own: its snapshot is from after the locks, so it counts what the last holders claimed.
    return await claimFrom(tx, request, { limited, crowded, from })
  })
}

/** Who is paused between the statements of a claim keeps the locks that all others wait for. */
const standstillSeconds = 10

type DefinitionName = Served['definitions'][number]

/** Locks, in one order for all, the limited definitions that have jobs waiting; others take their turn after us. */
async function lockLimited(
  tx: Sql,
  definitions: DefinitionName[],
  from: Beginnings | undefined,
): Promise<DefinitionName[]> {
  const limited = await tx<DefinitionName[]>`
    select key, version, ${endWhenStill(tx, standstillSeconds)}
    from (${namesOf(tx, definitions)}) as loaded
    join job_server.definitions using (key, version)
    where (concurrency_limit is not null or rate_limit_count is not null) and exists (
      select from job_server.lanes
      where lanes.definition_key = key and lanes.definition_version = version and ${hasReadyJobs(tx, from)}
    )
    order by key, version`
  if (limited.length === 0) return []
  await tx`
    select pg_advisory_xact_lock(hashtextextended('job-server.definition.' || name, 0))
    from unnest(${limited.map(definitionName)}::text[]) with ordinality as given (name, place)
    order by place`
  return limited
}

async function claimFrom(
  sql: Sql,
  request: ClaimRequest,
  { limited, crowded, from }: { limited: DefinitionName[]; crowded: boolean; from: Beginnings | undefined },
): Promise<ClaimedJob[]> {
  const { workerId, limit, leaseSeconds, mostlyFrom, cursors } = request
  // What only limits need stands in the statement only with limits: its planning is not free.
  // lanes_pk, then jobs_ready_idx lane by lane; jobs_running_idx and rate_starts_idx for limited definitions alone.
  const rows = await sql<(Omit<ClaimedJob, 'lease'> & { id: string; leaseEpoch: string } & Passed)[]>`
    with open_lanes as materialized (
      select
        lanes.*, definitions.rate_limit_count is not null as is_rated, definitions.hooks,
        ${limited.length === 0 ? sql`${limit}::bigint` : roomOf(sql, limit)} as room,
        ${crowded ? sql`${hasLimit(sql)} as is_limited,` : sql``}
        ${mostlyFrom === undefined ? sql`${limit}::bigint as share` : sharesOf(sql, limit, mostlyFrom.priority)}
      from (${servedLanes(sql, request)}) as lanes
      join job_server.definitions on definitions.key = lanes.definition_key and definitions.version = lanes.definition_version
      ${mostlyFrom === undefined ? sql`` : sql`cross join lateral (${isAmong(sql, mostlyFrom.lanes)}) as chief`}
      where ${
        limited.length === 0
          ? sql`not ${hasLimit(sql)}`
          : sql`(not ${hasLimit(sql)} or (definitions.key, definitions.version) in (select key, version from (${namesOf(sql, limited)}) as limited))`
      }
    ),
    ${candidates(sql, { limit, hasRooms: limited.length > 0, hasShares: mostlyFrom !== undefined, crowded }, from)},
    -- A definition with jobs in several queues has one room for them all.
    placed as (
      select *, row_number() over (partition by definition_key, definition_version order by priority desc, turn_at, id) as place
      from candidates
    ),
    chosen as (
      select id, claimable_at from placed where place <= room
      order by priority desc, turn_at, id
      limit ${limit}
    ),
    claimed as (
      update job_server.jobs set
        state = 'running',
        attempts = attempts + 1,
        worker_id = ${workerId},
        lease_epoch = nextval('job_server.lease_epochs'),
        lease_expires_at = now() + make_interval(secs => ${leaseSeconds}),
        heartbeat_at = now(),
        started_at = now(),
        scheduled_at = null,
        progress = null
      from chosen
      where ${probe(sql, sql`jobs.id`, sql`chosen.id`)}
      returning jobs.*, claimable_at
    ),
    tallied as (${tallyClaims(sql)}),
    noted as (
      insert into job_server.events (job_id, event_type, payload)
      select id, 'started', jsonb_build_object('attempt', attempts, 'workerId', worker_id) from claimed
    ),
    ${limited.length === 0 ? sql`` : rememberStarts(sql)}
    -- First: else each job might be held against each lane.
    hooking as materialized (
      select queue, definition_key, definition_version from open_lanes where 'onStart' = any(hooks)
    ),
    hooked as (
      insert into job_server.hook_runs (job_id, definition_key, definition_version, hook, payload)
      select id, definition_key, definition_version, 'onStart', jsonb_build_object('attempt', attempts, 'params', params)
      from claimed join hooking using (queue, definition_key, definition_version)
    )
    select
      id, lease_epoch, definition_key, definition_version, attempts as attempt, max_attempts, timeout_seconds, backoff,
      priority, params, checkpoint, children_since, queue, queued_at, started_at, claimable_at, traceparent, tracestate
      ${cursors === undefined ? sql`` : passed(sql)}
    from claimed
    order by claimed.priority desc, claimed.turn_at, id`
  const [first] = rows
  if (first !== undefined) cursors?.claimed(rows, first.since)
  return rows.map(({ id, leaseEpoch, turnAt: _turnAt, since: _since, ...job }) => ({
    ...job,
    lease: { jobId: id, epoch: leaseEpoch },
  }))
}

/** With cursors only: how far a lane has been read now. */
interface Passed {
  turnAt: string
  since: string
}

/** A cursor never comes so near to the present that jobs would pass behind it whose enqueuing is being committed. */
function passed(sql: Sql) {
  const since = turnsBefore(sql)
  return sql`, ${turnText(sql, sql`least(turn_at, ${since})`)} as turn_at, ${turnText(sql, since)} as since`
}

function hasLimit(sql: Sql) {
  return sql`(definitions.concurrency_limit is not null or definitions.rate_limit_count is not null)`
}

/** How many jobs the lane may give, and of what priority. */
function sharesOf(sql: Sql, limit: number, priority: number) {
  return sql`
    case when is_chief then ${limit}::bigint else ceil(${limit}::float8 / count(*) over ())::bigint end as share,
    case when is_chief then ${lowestPriority} else ${priority} end::int as lowest`
}

/** Of a row of `lanes`. */
function isAmong(sql: Sql, lanes: Lane[]) {
  return sql`
    select (lanes.queue, lanes.definition_key, lanes.definition_version) in (
      select * from unnest(
        ${lanes.map(({ queue }) => queue)}::text[],
        ${lanes.map(({ definitionKey }) => definitionKey)}::text[],
        ${lanes.map(({ definitionVersion }) => definitionVersion)}::int[]
      )
    ) as is_chief`
}

/** How many more jobs of the lane's definition may begin. */
function roomOf(sql: Sql, limit: number) {
  return sql`case when not ${hasLimit(sql)} then ${limit}::bigint else ${roomLeft(sql, sql`lanes`)} end`
}

/**
 * How many jobs the limits of `definitions` leave room for now; null where there are none. The time is that of the
 * statement: its transaction may have waited long for its turn.
 * @param of the row of which `definition_key` and `definition_version` are
 */
export function roomLeft(sql: Sql, of: Fragment): Fragment {
  return sql`
    least(
      definitions.concurrency_limit - (
        select count(*) from job_server.jobs
        where state = 'running' and jobs.definition_key = ${of}.definition_key and jobs.definition_version = ${of}.definition_version
      ),
      definitions.rate_limit_count - (
        select count(*) from job_server.rate_starts
        where rate_starts.definition_key = ${of}.definition_key and rate_starts.definition_version = ${of}.definition_version
          and started_at > statement_timestamp() - make_interval(secs => definitions.rate_limit_seconds)
      )
    )`
}

function rememberStarts(sql: Sql) {
  return sql`
    rated as (
      insert into job_server.rate_starts (definition_key, definition_version, started_at)
      select definition_key, definition_version, statement_timestamp()
      from claimed join open_lanes using (queue, definition_key, definition_version)
      where is_rated
    ),`
}
