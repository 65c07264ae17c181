/**
 * What becomes of jobs whose attempt or waiting ended: one statement decides for each, writes its attempt, event
 * and hooks, and moves what is final to history (and, failed, to the dead letters).
 *
 *   cancel asked for ─────────────► cancelled          (beats every other end)
 *   succeeded ────────────────────► succeeded
 *   interrupted ──────────────────► ready, attempt not charged
 *   snoozed ──────────────────────► scheduled, attempt not charged
 *   waiting for children ─────────► waiting, attempt not charged
 *   failed, attempts left, retry ─► scheduled after its backoff (ready when that is 0)
 *   failed otherwise ─────────────► failed + dead letter
 *
 * A job that took its process or worker down three times fails whatever its attempts: it is poison. An attempt that came
 * to snooze or to wait for children shows that it is not, and what went before no longer counts.
 */
import type postgres from 'postgres'
import type { Fragment, Sql } from '../db.ts'
import type { FinalStatus } from '../job-state.ts'
import { tallyEnds } from '../metrics/tally.ts'
import { probe } from './probe.ts'
import { hintWork } from './wake.ts'

const crashLimit = 3

/** In the metadata of a child whose outputs go when its parent has ended. */
export const temporaryMark = { temporaryOutputs: true }

export interface EndedJob {
  jobId: string
  /** Null when the job was not running. */
  epoch: string | null
  /** What became of the job; `queued` when it runs again. */
  status: FinalStatus | 'queued'
  concurrencyKey: string | null
  parentId: string | null
  /** Whether the job has ever waited for children. */
  hadChildren: boolean
  /** From the request to cancel to now; null unless the job ran and is cancelled. */
  cancelSeconds: number | null
}

/**
 * @param ended selects and locks rows of `jobs`, and says how each ended: `jobs.*` and the columns of `endedAs`
 * @param options.succeeded whether all are attempts that succeeded: what is only for others then does not stand in the
 *   statement, whose planning is a good part of its time
 */
export async function endJobs(
  sql: Sql,
  ended: postgres.PendingQuery<postgres.Row[]>,
  { succeeded = false }: { succeeded?: boolean } = {},
): Promise<EndedJob[]> {
  const rows = await sql<(EndedJob & { wakes: boolean })[]>`
    with ended as materialized (${ended}),
    -- Every column comes from the row as it was locked: joining jobs again would read the statement's snapshot,
    -- and miss a cancel that was committed while we waited for the lock.
    decided as materialized (
      select
        ended.*,
        definitions.hooks,
        definitions.concurrency_limit is not null as limited,
        case
          when cancel_requested_at is not null or kind = 'cancelled' then 'cancelled'
          when kind = 'succeeded' then 'succeeded'
          when kind in ('interrupted', 'snoozed', 'waiting') then 'queued'
          when retry and attempts < max_attempts and crash_count + crashed::int < ${crashLimit} then 'queued'
          else 'failed'
        end as status
      from ended
      left join job_server.definitions on definitions.key = definition_key and definitions.version = definition_version
    ),
    ${succeeded ? sql`` : requeue(sql)}
    removed as (
      delete from job_server.jobs using decided where ${probe(sql, sql`jobs.id`, sql`decided.id`)} and decided.status <> 'queued'
    ),
    archived as (
      insert into job_server.job_history (
        id, definition_key, definition_version, queue, status, priority, attempts, max_attempts, crash_count,
        timeout_seconds, idempotency_key, concurrency_key, parent_id, params, progress, result, error_code, error_summary,
        queued_at, scheduled_at, started_at, finished_at, heartbeat_at, worker_id, lease_epoch, tags, metadata, traceparent
      )
      select
        id, definition_key, definition_version, queue, status, priority, attempts, max_attempts, crash_count + crashed::int,
        timeout_seconds, idempotency_key, concurrency_key, parent_id, params, progress, case when status = 'succeeded' then result end,
        case when status <> 'succeeded' then new_error_code end, case when status <> 'succeeded' then message end,
        queued_at, scheduled_at, started_at, now(), heartbeat_at, worker_id, lease_epoch, tags, metadata, traceparent
      from decided
      where status <> 'queued'
    ),
    ${succeeded ? sql`` : bury(sql)}
    recorded as (
      insert into job_server.attempts (job_id, lease_epoch, attempt, worker_id, started_at, ended_at, outcome, error_code, error)
      select
        id, lease_epoch, attempts, worker_id, started_at, now(), case when status = 'cancelled' then 'cancelled' else outcome end,
        new_error_code,
        ${succeeded ? sql`null` : sql`nullif(jsonb_strip_nulls(jsonb_build_object('message', message, 'details', details)), '{}')`}
      from decided
      where lease_epoch is not null
    ),
    tallied as (${tallyEnds(sql)}),
    strayed as (
      insert into job_server.stray_outputs (lease_epoch, job_id, remove_after)
      select lease_epoch, id, now() + interval '2 hours' from decided where outcome = 'lease_expired'
      union all
      -- What a job wrote before it waited for its children, when it comes to nothing.
      select waited.lease_epoch, decided.id, now()
      from decided
      cross join lateral job_server.waiting_attempts(decided.id) as waited (lease_epoch)
      where decided.children_since is not null and status in ('failed', 'cancelled')
      union all
      -- What it wrote for its parent alone: until upkeep finds that the parent has ended.
      select lease_epoch, id, 'infinity'
      from decided
      where status = 'succeeded' and parent_id is not null and metadata @> ${sql.json(temporaryMark)}
    ),
    noted as (
      insert into job_server.events (job_id, event_type, payload)
      select
        id,
        case when status <> 'queued' then status when kind = 'failed' then 'retry_scheduled' else kind end,
        jsonb_strip_nulls(jsonb_build_object(
          'attempt', case when lease_epoch is not null then attempts end,
          'outcome', outcome,
          'errorCode', new_error_code,
          'message', message,
          'retryInSeconds', case when status = 'queued' and kind in ('failed', 'snoozed') then retry_in_seconds end
        ))
      from decided
    ),
    hooked as (
      insert into job_server.hook_runs (job_id, definition_key, definition_version, hook, payload)
      select
        id, definition_key, definition_version, hook,
        jsonb_strip_nulls(jsonb_build_object(
          'status', status, 'attempt', attempts, 'errorCode', new_error_code, 'message', message, 'params', params,
          'result', case when status = 'succeeded' then result end
        ))
      from decided
      cross join lateral unnest(case
        when status = 'succeeded' then array['onSuccess', 'onEnd']
        when status = 'cancelled' then array['onCancel', 'onEnd']
        when status = 'failed' then array['onFail', 'onDeadLetter', 'onEnd']
        when kind = 'failed' then array['onRetry']
        else array[]::text[]
      end) with ordinality as due (hook, place)
      where hook = any(hooks)
      order by id, place
    )
    select
      id as job_id, lease_epoch as epoch, status, concurrency_key, parent_id, children_since is not null or kind = 'waiting' as had_children,
      case when status = 'cancelled' and lease_epoch is not null then extract(epoch from now() - cancel_requested_at) end::float8 as cancel_seconds,
      limited or status = 'queued' or hooks <> '{}' as wakes
    from decided`
  if (rows.some(({ wakes }) => wakes)) hintWork(sql)
  return rows.map(({ wakes: _wakes, ...ended }) => ended)
}

/** What `ended` says of rows beside what they are. */
export function endedAs(
  sql: Sql,
  end: {
    kind: string | Fragment
    outcome: string
    errorCode?: string | Fragment
    message?: string | Fragment
    retry?: boolean
    crashed?: boolean
  },
): Fragment {
  const { kind, outcome, errorCode = null, message = null, retry = false, crashed = false } = end
  return sql`
    (${kind})::text as kind, ${outcome}::text as outcome, null::jsonb as result, (${errorCode})::text as new_error_code,
    (${message})::text as message, null::jsonb as details, ${retry}::boolean as retry, 0::float8 as retry_in_seconds,
    ${crashed}::boolean as crashed, null::text as child_failure`
}

/** Jobs that run again, and those that ended waiting: their dependencies go. */
function requeue(sql: Sql) {
  return sql`
    requeued as (
      update job_server.jobs set
        state = case
          when decided.kind = 'waiting' then 'waiting'
          when decided.kind = 'interrupted' or decided.retry_in_seconds = 0 then 'ready'
          else 'scheduled'
        end,
        scheduled_at = case when decided.kind in ('failed', 'snoozed') then now() + make_interval(secs => decided.retry_in_seconds) end,
        attempts = decided.attempts - case when decided.kind = 'failed' then 0 else 1 end,
        crash_count = case when decided.kind in ('snoozed', 'waiting') then 0 else decided.crash_count + decided.crashed::int end,
        children_since = case when decided.kind = 'waiting' then now() else decided.children_since end,
        on_child_failure = coalesce(decided.child_failure, decided.on_child_failure),
        error_code = coalesce(decided.new_error_code, decided.error_code),
        error_summary = coalesce(decided.message, decided.error_summary),
        worker_id = null,
        lease_epoch = null,
        lease_expires_at = null
      from decided
      where ${probe(sql, sql`jobs.id`, sql`decided.id`)} and decided.status = 'queued'
    ),
    forgotten as (
      delete from job_server.job_dependencies using decided
      where ${probe(sql, sql`job_dependencies.job_id`, sql`decided.id`)} and decided.state = 'waiting'
    ),`
}

function bury(sql: Sql) {
  return sql`
    buried as (
      insert into job_server.dead_letters (
        id, original_job_id, definition_key, definition_version, queue, priority, attempts, max_attempts, timeout_seconds,
        backoff, params, idempotency_key, concurrency_key, concurrency_key_limit, error_code, error_summary, details,
        queued_at, started_at, finished_at, tags, metadata
      )
      select
        gen_random_uuid(), id, definition_key, definition_version, queue, priority, attempts, max_attempts, timeout_seconds,
        backoff, params, idempotency_key, concurrency_key, concurrency_key_limit, new_error_code, message, details,
        queued_at, started_at, now(), tags, metadata
      from decided
      where status = 'failed'
    ),`
}
